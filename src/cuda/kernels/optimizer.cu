// torch.optim.AdamW with clipping by the global norm, over one flat f32 buffer.

#define BETA1 0.9f
#define BETA2 0.999f

// The norm before clipping and the mean loss, as the host reads them.
struct Report {
    float norm;
    float loss;
};

// Gradients of the adapters as the sum of their partials, in order, and each block's sum of squares over all gradients.
extern "C" __global__ void gather_gradients(int count, int adapters, const float* partials, int sets, float* gradients,
                                            double* squares) {
    await_previous();
    __shared__ double room[32];
    double sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        float g;
        if (i < adapters) {
            g = 0;
            for (int k = 0; k < sets; ++k) g += partials[(u64)k * adapters + i];
            gradients[i] = g;
        } else {
            g = gradients[i];
        }
        sum += (double)g * g;
    }
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    if (threadIdx.x % WARP == 0) room[threadIdx.x / WARP] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum = 0;
        for (int i = 0; i < blockDim.x / WARP; ++i) sum += room[i];
        squares[blockIdx.x] = sum;
    }
}

// The norm of all gradients and the mean loss, by one warp.
extern "C" __global__ void report(const Step* step, int blocks, const double* squares, const float* losses, Report* to) {
    await_previous();
    double sum = 0;
    for (int i = threadIdx.x; i < blocks; i += WARP) sum += squares[i];
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    float loss = 0;
    for (int i = threadIdx.x; i < step->rows; i += WARP) loss += losses[i];
    loss = warp_sum(loss);
    if (threadIdx.x == 0) *to = Report{(float)sqrt(sum), loss};
}

// Updates unless norm or loss is not finite.
extern "C" __global__ void adamw(const Step* step, int count, const Report* report, float max_norm, float eps,
                                 const u8* decays, const float* gradients, float* values, float* first, float* second) {
    await_previous();
    float norm = report->norm;
    if (!isfinite(norm) || !isfinite(report->loss)) return;
    float factor = max_norm / (norm + 1e-6f);
    if (max_norm <= 0 || factor > 1) factor = 1;
    float step_size = step->step_size, root = step->root, shrink = step->shrink;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        float g = gradients[i] * factor;
        float m = BETA1 * first[i] + (1 - BETA1) * g;
        float v = BETA2 * second[i] + (1 - BETA2) * g * g;
        first[i] = m, second[i] = v;
        values[i] = values[i] * (decays[i] ? shrink : 1.f) - step_size * (m / (sqrtf(v) / root + eps));
    }
}
