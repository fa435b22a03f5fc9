// What follows works on rows as wide as the embeddings, which may be narrower or wider than the layers.
#undef HIDDEN
#define HIDDEN EMBEDDING
