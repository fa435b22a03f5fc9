// A row of one token in a warp, and its layer norm.

struct Row {
    float v[CHUNKS][8];
};

// x_hat = (v - mean) / sqrt(var + eps) in place; returns the reciprocal deviation.
__device__ inline float normalise(Row& x, float eps) {
    float sum = 0;
    EACH_CHUNK(c, column) for (int i = 0; i < 8; ++i) sum += x.v[c][i];
    float mean = warp_sum(sum) / HIDDEN;
    sum = 0;
    EACH_CHUNK(c, column) for (int i = 0; i < 8; ++i) {
        x.v[c][i] -= mean;
        sum += x.v[c][i] * x.v[c][i];
    }
    float scale = rsqrtf(warp_sum(sum) / HIDDEN + eps);
    EACH_CHUNK(c, column) for (int i = 0; i < 8; ++i) x.v[c][i] *= scale;
    return scale;
}

__device__ inline void affine8(const float x[8], const float* gamma, const float* beta, int column, float y[8]) {
    float g[8], b[8];
    load8f(gamma + column, g);
    load8f(beta + column, b);
#pragma unroll
    for (int i = 0; i < 8; ++i) y[i] = x[i] * g[i] + b[i];
}

// Part of row t of what the next product and a residual read, [rows, HIDDEN].
__device__ inline void store8_input(real* y, u16* split, int t, int column, const float v[8]) {
    store8(y + (u64)t * HIDDEN + column, v);
#if PRECISION == 1
    store8_split(split + (u64)t * 3 * HIDDEN + column, HIDDEN, v);
#endif
}
