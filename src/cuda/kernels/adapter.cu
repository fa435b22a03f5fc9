// The linear form y = c.(W0 x) + b + s U (d.(V^T x)) beside the matrix products: z = x [W0; V^T]^T holds W0 x and h = V^T x.

#define TOKENS 2 // of a warp

// s d.h of eight ranks from j0 on; 0 past the last.
__device__ inline void coefficients(const Part& p, const real* z, float s, int j0, float h[8]) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
        bool there = j0 + j < RANK;
        h[j] = there ? s * (p.d ? p.d[j0 + j] : 1.f) * widen(z[p.h_column + j0 + j]) : 0.f;
    }
}

// y of TOKENS tokens by one warp; blockIdx.y is the part.
extern "C" __global__ void __launch_bounds__(256, 4)
    combine(const real* z, int z_stride, int capacity, float s, Parts parts) {
    await_previous();
    const Part p = parts.part[blockIdx.y];
    int t0 = (blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP) * TOKENS;
    if (t0 >= capacity) return;
    // A warp at the end does its last token twice.
    const real* from[TOKENS];
    real* to[TOKENS];
    float h[TOKENS][8];
#pragma unroll
    for (int k = 0; k < TOKENS; ++k) {
        u64 t = min(t0 + k, capacity - 1);
        from[k] = z + t * z_stride;
        to[k] = p.y + t * p.y_stride;
        if (p.u) coefficients(p, from[k], s, 0, h[k]);
    }
    EACH_CHUNK(c, column) {
        float y[TOKENS][8], b[8];
        load8f(p.bias + column, b);
#pragma unroll
        for (int k = 0; k < TOKENS; ++k) {
            load8(from[k] + p.z_column + column, y[k]);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                float scale = p.c_len == 0 ? 1.f : p.c[p.c_len == 1 ? 0 : column + i];
                y[k][i] = y[k][i] * scale + b[i];
            }
        }
        if (p.u)
            for (int j0 = 0; j0 < RANK; j0 += 8) {
                if (RANK > 8)
                    for (int k = 0; k < TOKENS; ++k) coefficients(p, from[k], s, j0, h[k]);
#pragma unroll
                for (int j = 0; j < 8; ++j) {
                    if (j0 + j >= RANK) break;
                    float u[8];
                    load8(p.u + (j0 + j) * HIDDEN + column, u);
#pragma unroll
                    for (int k = 0; k < TOKENS; ++k)
                        for (int i = 0; i < 8; ++i) y[k][i] += h[k][j] * u[i];
                }
            }
#pragma unroll
        for (int k = 0; k < TOKENS; ++k) store8(to[k] + column, y[k]);
    }
}

// One adapted matrix of the model: its factors in the flat buffer and where their storage copies stand.
struct Matrix {
    const float* u;
    const float* v;
    const float* c;
    const real* w0;  // [HIDDEN, HIDDEN], for `scaled`
    real* u_rows;    // U^T [RANK, HIDDEN]
    real* v_rows;    // V^T [RANK, HIDDEN], below W0 in the stacked weights
    real* v_scaled;  // the same below c.W0; null without c
    real* scaled;    // c.W0
    u16* v_split;    // tf32: V^T [RANK, 3, HIDDEN] for the way there: high, low, high, see store8_split
    int u_transposed, v_transposed, c_len;
    int stride; // of rows of the stacked weights; tf32 has these turned: V stands right of W0^T
};

// A product in TF32 reads only operands whose rows run along its sum at full speed (wgmma).
#define TURNED (PRECISION == 1)

// Storage copies of all factors; blockIdx.y is the matrix.
extern "C" __global__ void refresh_factors(const Matrix* matrices) {
    await_previous();
    const Matrix m = matrices[blockIdx.y];
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= RANK * HIDDEN) return;
    int j = at / HIDDEN, i = at % HIDDEN;
    m.u_rows[at] = narrow(m.u[m.u_transposed ? at : i * RANK + j]);
    float v = m.v[m.v_transposed ? at : i * RANK + j];
    u64 place = TURNED ? (u64)i * m.stride + j : (u64)j * m.stride + i;
    m.v_rows[place] = narrow(operand(v));
    if (m.v_scaled) m.v_scaled[place] = narrow(operand(v));
#if PRECISION == 1
    u16 high = narrow_bf16(v);
    u16* split = m.v_split + (u64)j * 3 * HIDDEN + i;
    split[HIDDEN] = narrow_bf16(v - widen(high)), split[0] = split[2 * HIDDEN] = high;
#endif
}

// c.W0 for the gradient of x; blockIdx.y is the matrix, blockIdx.x its row.
extern "C" __global__ void refresh_scaled(const Matrix* matrices) {
    await_previous();
    const Matrix m = matrices[blockIdx.y];
    int row = blockIdx.x;
    for (int column = threadIdx.x * 8; column < HIDDEN; column += blockDim.x * 8) {
        float v[8];
        load8(m.w0 + (u64)row * m.stride + column, v);
        for (int i = 0; i < 8; ++i) v[i] *= m.c[m.c_len == 1 ? 0 : TURNED ? column + i : row];
        store8_operand(m.scaled + (u64)row * m.stride + column, v);
    }
}
