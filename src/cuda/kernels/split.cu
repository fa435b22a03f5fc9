// f32 on the tensor cores: v = high + low with 11 bits each, and x W = x_low W_high + x_high W_low + x_high W_high as one TF32
// product three times as deep. What is left out is near 2^-22 of each term.

// `from` [rows, columns], rows `stride` apart, to three copies: beside each other in a row, or below each other where `below`.
// `first` tells the side: low, high, high for the left one, high, low, high for the right one.
extern "C" __global__ void split(const float* from, int rows, int columns, int stride, int first, int below, float* to) {
    await_previous();
    u64 at = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * 4;
    if (at >= (u64)rows * columns) return;
    int row = at / columns, column = at % columns;
    float4 v = *(const float4*)(from + (u64)row * stride + column);
    float x[4] = {v.x, v.y, v.z, v.w}, high[4], low[4];
    for (int i = 0; i < 4; ++i) {
        u32 r;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x[i]));
        high[i] = bits_to_float(r);
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x[i] - high[i]));
        low[i] = bits_to_float(r);
    }
#pragma unroll
    for (int copy = 0; copy < 3; ++copy) {
        bool small = copy == (first ? 0 : 1);
        u64 place = below ? ((u64)copy * rows + row) * columns + column : ((u64)row * 3 + copy) * columns + column;
        float w[4];
        for (int i = 0; i < 4; ++i) w[i] = small ? low[i] : high[i];
        *(float4*)(to + place) = make_float4(w[0], w[1], w[2], w[3]);
    }
}
