// Embeddings of one token by one warp.

// x = dropout(LayerNorm(word[id] + type[type] + position[position])), [tokens, EMBEDDING]; tokens past the last are 0.
extern "C" __global__ void embed(const Step* step, int capacity, const u32* ids, const u32* types, const u32* positions,
                                 const u32* places, const real* word, const real* type, const real* position,
                                 const float* gamma, const float* beta, float eps, Site site, real* out, u16* split) {
    await_previous();
    int t = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    if (t >= capacity) return;
    float y[8];
    if (t >= step->tokens) {
        for (int i = 0; i < 8; ++i) y[i] = 0;
        EACH_CHUNK(c, column) store8_input(out, split, t, column, y);
        return;
    }
    Row x;
    EACH_CHUNK(c, column) {
        float a[8], b[8];
        load8(word + (u64)ids[t] * HIDDEN + column, x.v[c]);
        load8(type + (u64)types[t] * HIDDEN + column, a);
        load8(position + (u64)positions[t] * HIDDEN + column, b);
        for (int i = 0; i < 8; ++i) x.v[c][i] += a[i] + b[i];
    }
    normalise(x, eps);
    EACH_CHUNK(c, column) {
        affine8(x.v[c], gamma, beta, column, y);
        if (site.threshold) drop8(y, kept8(site, step->step, (u64)places[t] * HIDDEN + column), site.scale);
        store8_input(out, split, t, column, y);
    }
}
