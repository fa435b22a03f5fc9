// GELU by the error function, y = u Phi(u), and its slope Phi(u) + u phi(u), with the bias of the layer before it.

// Phi(u), and exp(-u^2 / 2) for the slope. bf16 and tf32: Abramowitz and Stegun 7.1.26, absolute error under 1.5e-7.
__device__ inline float cumulative(float u, float& bell) {
#if PRECISION == 0
    bell = expf(-0.5f * u * u);
    return 0.5f * (1.f + erff(u * 0.70710678118654752f));
#else
    float z = fabsf(u) * 0.70710678118654752f;
    float t = __fdividef(1.f, 1.f + 0.3275911f * z);
    bell = __expf(-z * z);
    float tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float half = 0.5f * tail * bell;
    return u < 0.f ? half : 1.f - half;
#endif
}

// y = gelu(u + bias), [rows, WIDE], in tf32 to `split` alone; u is kept for the way back.
extern "C" __global__ void gelu_forward(u64 count, const real* u, const float* bias, real* y, u16* split) {
    await_previous();
    u64 at = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= count) return;
    float v[8], b[8], bell;
    load8(u + at, v);
    load8f(bias + at % WIDE, b);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        float x = v[i] + b[i];
        v[i] = x * cumulative(x, bell);
    }
#if PRECISION == 1
    store8_split(split + at / WIDE * 3 * WIDE + at % WIDE, WIDE, v);
#else
    store8(y + at, v);
#endif
}

// d *= gelu'(u + bias), [rows, WIDE].
extern "C" __global__ void gelu_backward(u64 count, const real* u, const float* bias, real* d) {
    await_previous();
    u64 at = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= count) return;
    float v[8], b[8], g[8], bell;
    load8(u + at, v);
    load8f(bias + at % WIDE, b);
    load8(d + at, g);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        float x = v[i] + b[i];
        float whole = cumulative(x, bell);
        g[i] *= whole + x * bell * 0.39894228040143268f;
    }
    store8_operand(d + at, g);
}
