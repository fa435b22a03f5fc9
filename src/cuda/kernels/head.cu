// The classification head on each row's first token: dropout or not, dense, activation, dropout, linear. It trains, so its values are f32 throughout; the products with the dense weight are calls of the matrix library.

// The activation of u and, in `slope`, its derivative.
__device__ inline float activate(float u, float& slope) {
#if ACTIVATION == 0 // tanh
    float y = tanhf(u);
    slope = 1 - y * y;
    return y;
#elif ACTIVATION == 1 // gelu by the error function
    float below = 0.5f * (1.f + erff(u * 0.70710678118654752f));
    slope = below + u * expf(-0.5f * u * u) * 0.39894228040143268f;
    return u * below;
#else // relu
    slope = u > 0.f ? 1.f : 0.f;
    return fmaxf(u, 0.f);
#endif
}

// x = dropout(hidden of the first tokens), [rows, HIDDEN] f32.
extern "C" __global__ void head_input(const Step* step, int capacity, const real* hidden, Site site, float* x) {
    await_previous();
    int at = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= capacity * HIDDEN) return;
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (at / HIDDEN < step->rows) {
        load8(hidden + at, v);
        if (site.threshold) drop8(v, kept8(site, step->step, at), site.scale);
    }
    for (int i = 0; i < 8; ++i) x[at + i] = v[i];
}

// What one row's loss needs beside its logits.
struct Target {
    const float* labels; // class or score
    int regression;
};

// From the dense product `pre` [rows, HIDDEN] one block a row makes pooled = dropout(activation(pre + bias)), the logits, the
// loss (torch's cross_entropy, or mse_loss for regression), the slopes of the logits and, in place of pre, that of pre.
// Without a target: the logits alone.
extern "C" __global__ void head_output(const Step* step, float* pre, const float* dense_bias, const float* weight,
                                       const float* bias, Site site, int backward, Target target, float* pooled,
                                       float* logits, float* dlogits, float* losses) {
    await_previous();
    __shared__ float room[32];
    __shared__ float out[OUTPUTS], slope[OUTPUTS];
    int row = blockIdx.x;
    bool there = row < step->rows;
    float sums[OUTPUTS] = {};
    for (int column = threadIdx.x * 8; column < HIDDEN; column += blockDim.x * 8) {
        u64 at = (u64)row * HIDDEN + column;
        u32 bits = site.threshold ? kept8(site, step->step, at) : 255u;
        for (int i = 0; i < 8; ++i) {
            float unused, y = activate(pre[at + i] + dense_bias[column + i], unused);
            float kept = bits >> i & 1 ? y * (site.threshold ? site.scale : 1.f) : 0.f;
            pooled[at + i] = kept;
            for (int o = 0; o < OUTPUTS; ++o) sums[o] += kept * weight[o * HIDDEN + column + i];
        }
    }
    for (int o = 0; o < OUTPUTS; ++o) {
        float sum = block_sum(sums[o], room);
        if (threadIdx.x == 0) out[o] = sum + bias[o];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int o = 0; o < OUTPUTS; ++o) logits[row * OUTPUTS + o] = out[o];
        if (backward) {
            float loss = 0, label = there ? target.labels[row] : 0.f, share = 1.f / step->rows;
            if (target.regression) {
                float miss = out[0] - label;
                loss = miss * miss;
                slope[0] = 2 * share * miss;
            } else {
                float top = out[0], total = 0;
                for (int o = 1; o < OUTPUTS; ++o) top = fmaxf(top, out[o]);
                for (int o = 0; o < OUTPUTS; ++o) total += expf(out[o] - top);
                float log = top + logf(total);
                loss = log - out[(int)label];
                for (int o = 0; o < OUTPUTS; ++o) slope[o] = share * (expf(out[o] - log) - (o == (int)label ? 1.f : 0.f));
            }
            for (int o = 0; o < OUTPUTS; ++o) {
                if (!there) slope[o] = 0;
                dlogits[row * OUTPUTS + o] = slope[o];
            }
            losses[row] = there ? loss * share : 0.f;
        }
    }
    __syncthreads();
    if (!backward) return;
    for (int column = threadIdx.x * 8; column < HIDDEN; column += blockDim.x * 8) {
        u64 at = (u64)row * HIDDEN + column;
        u32 bits = site.threshold ? kept8(site, step->step, at) : 255u;
        for (int i = 0; i < 8; ++i) {
            float inner, d = 0;
            activate(pre[at + i] + dense_bias[column + i], inner);
            for (int o = 0; o < OUTPUTS; ++o) d += slope[o] * weight[o * HIDDEN + column + i];
            d = bits >> i & 1 ? d * (site.threshold ? site.scale : 1.f) : 0.f;
            pre[at + i] = there ? d * inner : 0.f;
        }
    }
}

// Gradients of the dense bias, the output weight and the output bias: a thread a column, rows in order.
extern "C" __global__ void head_gradients(const Step* step, const float* dpre, const float* pooled, const float* dlogits,
                                          float* of_dense_bias, float* of_weight, float* of_bias) {
    await_previous();
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= HIDDEN) return;
    float dense = 0, weight[OUTPUTS] = {}, bias[OUTPUTS] = {};
    for (int row = 0; row < step->rows; ++row) {
        dense += dpre[(u64)row * HIDDEN + column];
        float x = pooled[(u64)row * HIDDEN + column];
        for (int o = 0; o < OUTPUTS; ++o) {
            float d = dlogits[row * OUTPUTS + o];
            weight[o] += d * x;
            bias[o] += d;
        }
    }
    of_dense_bias[column] = dense;
    for (int o = 0; o < OUTPUTS; ++o) of_weight[o * HIDDEN + column] = weight[o];
    if (column == 0)
        for (int o = 0; o < OUTPUTS; ++o) of_bias[o] = bias[o];
}

// The slope of the last hidden state of the first tokens, [rows, HIDDEN], from that of the head's input.
extern "C" __global__ void head_slope(const Step* step, int capacity, const float* dx, Site site, real* to) {
    await_previous();
    int at = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= capacity * HIDDEN) return;
    float v[8];
    for (int i = 0; i < 8; ++i) v[i] = dx[at + i];
    if (site.threshold) drop8(v, kept8(site, step->step, at), site.scale);
    store8(to + at, v);
}
