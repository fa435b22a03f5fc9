// Layer norm of one token by one warp, fused with what stands around it.

// y = LayerNorm(dropout(x + bias) + residual). Row t of x is token tokens[t] (t itself where it is null) and goes with row
// rows[t] of the residual (likewise). Keeps x_hat, the reciprocal deviation and the kept flags where they are asked for.
extern "C" __global__ void __launch_bounds__(256, 4) add_norm(const Step* step, int count, const int* tokens, const int* rows, const u32* places,
                                    const real* x, int x_stride, const float* bias, const real* residual, const float* gamma,
                                    const float* beta, float eps, Site site, real* y, u16* split, real* normal,
                                    float* scales, u8* flags) {
    await_previous();
    int t = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    if (t >= count) return;
    int token = tokens ? tokens[t] : t, row = rows ? rows[t] : t;
    Row r;
    EACH_CHUNK(c, column) {
        float a[8];
        load8(x + (u64)t * x_stride + column, r.v[c]);
        if (bias) {
            load8f(bias + column, a);
            for (int i = 0; i < 8; ++i) r.v[c][i] += a[i];
        }
        if (site.threshold) {
            u32 bits = kept8(site, step->step, (u64)places[token] * HIDDEN + column);
            drop8(r.v[c], bits, site.scale);
            if (flags) flags[((u64)t * HIDDEN + column) / 8] = (u8)bits;
        }
        load8(residual + (u64)row * HIDDEN + column, a);
        for (int i = 0; i < 8; ++i) r.v[c][i] += a[i];
    }
    float scale = normalise(r, eps);
    EACH_CHUNK(c, column) {
        float out[8];
        affine8(r.v[c], gamma, beta, column, out);
        store8_input(y, split, t, column, out);
        if (normal) store8(normal + (u64)t * HIDDEN + column, r.v[c]);
    }
    if (scales && threadIdx.x % WARP == 0) scales[t] = scale;
}

// The way back of add_norm: d = gamma dy; dres = scale (d - mean(d) - x_hat mean(d x_hat)), dx = dropout'(dres).
extern "C" __global__ void __launch_bounds__(256, 4) add_norm_backward(int count, const real* dy, const real* normal, const float* scales,
                                             const float* gamma, Site site, const u8* flags, real* dres, real* dx,
                                             int dx_stride) {
    await_previous();
    int t = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    if (t >= count) return;
    Row d, x;
    float flat = 0, along = 0;
    EACH_CHUNK(c, column) {
        float g[8];
        load8(dy + (u64)t * HIDDEN + column, d.v[c]);
        load8(normal + (u64)t * HIDDEN + column, x.v[c]);
        load8f(gamma + column, g);
        for (int i = 0; i < 8; ++i) {
            d.v[c][i] *= g[i];
            flat += d.v[c][i];
            along += d.v[c][i] * x.v[c][i];
        }
    }
    flat = warp_sum(flat) / HIDDEN;
    along = warp_sum(along) / HIDDEN;
    float scale = scales[t];
    EACH_CHUNK(c, column) {
        for (int i = 0; i < 8; ++i) d.v[c][i] = scale * (d.v[c][i] - flat - x.v[c][i] * along);
        store8(dres + (u64)t * HIDDEN + column, d.v[c]);
        if (site.threshold) drop8(d.v[c], flags[((u64)t * HIDDEN + column) / 8], site.scale);
        store8_operand(dx + (u64)t * dx_stride + column, d.v[c]);
    }
}

// Rows of the first tokens back to their places among all tokens, 0 elsewhere: first[row] is a row's first token.
extern "C" __global__ void scatter_first(const Step* step, int capacity, const int* first, const int* row_of,
                                         const real* from, real* to) {
    await_previous();
    int t = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    if (t >= capacity) return;
    int row = t < step->tokens ? row_of[t] : -1;
    bool leads = row >= 0 && first[row] == t;
    EACH_CHUNK(c, column) {
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (leads) load8(from + (u64)row * HIDDEN + column, v);
        store8(to + (u64)t * HIDDEN + column, v);
    }
}

// x = x + bias, [tokens, HIDDEN], where embeddings were led to the layers' width; tokens past the last are 0.
extern "C" __global__ void widened(const Step* step, int capacity, const float* bias, real* x, u16* split) {
    await_previous();
    int at = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= capacity * HIDDEN) return;
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (at / HIDDEN < step->tokens) {
        float b[8];
        load8(x + at, v);
        load8f(bias + at % HIDDEN, b);
        for (int i = 0; i < 8; ++i) v[i] += b[i];
    }
    store8_input(x, split, at / HIDDEN, at % HIDDEN, v);
}
