// The attention kernels once more for rows of at most 64 tokens: half the threads and half the shared memory a block,
// and a stage at a time on the way back, see stage.cu.
#define TILE 64
#define ATTENTION(name) name##_short
#undef STAGES
#define STAGES 1
