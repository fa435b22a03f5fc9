// The linear form y = c.(W0 x) + b + s U (d.(V^T x)) beside the matrix products: z = x [W0; V^T]^T holds W0 x and h = V^T x.

// One matrix of a projection, adapted or not.
struct Part {
    const real* u;     // U^T [RANK, HIDDEN]; null: not adapted
    const float* bias; // [HIDDEN]
    const float* c;    // null, or c_len values
    const float* d;    // null, or RANK values
    real* y;           // where its output goes; may be its columns of z
    int y_stride;
    int z_column; // of W0 x in z
    int h_column; // of V^T x in z
    int c_len;
};

struct Parts {
    Part part[3];
};

// Eight sums over a warp at once: lane l gets that of v[l / 4].
__device__ inline float warp_sums(float v[8]) {
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int half = 4, bit = 16; half; half /= 2, bit /= 2) {
        bool high = lane & bit;
#pragma unroll
        for (int i = 0; i < half; ++i) {
            float other = __shfl_xor_sync(0xffffffffu, high ? v[i] : v[i + half], bit);
            v[i] = (high ? v[i + half] : v[i]) + other;
        }
    }
    v[0] += __shfl_xor_sync(0xffffffffu, v[0], 2);
    v[0] += __shfl_xor_sync(0xffffffffu, v[0], 1);
    return v[0];
}

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

// The rank-r side of the way back, with g = U^T dy: [parts, capacity, RANK] each of
//   k = s d.h (for dU), dh = s d.g (for dV, and into its columns of dz), dd = s h.g, and e = sum of dy.(W0 x) for a scalar c.
struct Inner {
    float* k;
    float* dh;
    float* dd;
    float* e; // [parts, capacity]
};

// How many of the rows of a product count: all tokens, or each row's first.
__device__ inline int counted(const Step* step, int only_first) { return only_first ? step->rows : step->tokens; }

extern "C" __global__ void __launch_bounds__(256, 2)
    adapter_inner(const Step* step, int only_first, const real* z, real* dz, int z_stride, int capacity, float s,
                  Parts parts, Inner to) {
    const Part p = parts.part[blockIdx.y];
    int t0 = (blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP) * TOKENS;
    int tokens = counted(step, only_first), lane = threadIdx.x % WARP;
    if (t0 >= tokens) return;
    // All that comes from afar is asked for at once.
    Raw dy[CHUNKS][TOKENS], w[CHUNKS][TOKENS];
    EACH_CHUNK(c, column)
#pragma unroll
        for (int k = 0; k < TOKENS; ++k) {
            u64 at = (u64)min(t0 + k, tokens - 1) * z_stride + p.z_column + column;
            dy[c][k] = load_raw(dz + at);
            if (p.c_len == 1) w[c][k] = load_raw(z + at);
        }
    for (int j0 = 0; j0 < RANK; j0 += 8) {
        float g[TOKENS][8] = {}, e[TOKENS] = {};
        bool with_c = p.c_len == 1 && j0 == 0;
        EACH_CHUNK(c, column) {
            float d[TOKENS][8];
#pragma unroll
            for (int k = 0; k < TOKENS; ++k) {
                load8((const real*)&dy[c][k], d[k]);
                if (with_c) {
                    float v[8];
                    load8((const real*)&w[c][k], v);
                    for (int i = 0; i < 8; ++i) e[k] += d[k][i] * v[i];
                }
            }
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                if (j0 + j >= RANK) break;
                float u[8];
                load8(p.u + (j0 + j) * HIDDEN + column, u);
#pragma unroll
                for (int k = 0; k < TOKENS; ++k)
                    for (int i = 0; i < 8; ++i) g[k][j] += d[k][i] * u[i];
            }
        }
#pragma unroll
        for (int k = 0; k < TOKENS; ++k) {
            int t = t0 + k, j = j0 + lane / 4;
            if (with_c) {
                float sum = warp_sum(e[k]);
                if (lane == 0 && t < tokens) to.e[(u64)blockIdx.y * capacity + t] = sum;
            }
            float sum = warp_sums(g[k]);
            if (lane % 4 != 0 || j >= RANK || t >= tokens) continue;
            float h = widen(z[(u64)t * z_stride + p.h_column + j]);
            float d = p.d ? p.d[j] : 1.f;
            u64 at = ((u64)blockIdx.y * capacity + t) * RANK + j;
            to.k[at] = s * d * h;
            to.dh[at] = s * d * sum;
            to.dd[at] = s * h * sum;
            dz[(u64)t * z_stride + p.h_column + j] = narrow(operand(s * d * sum));
        }
    }
}

// Where the gradients of one part lie in the flat buffer; a negative place: it has none.
struct Places {
    int u, v, c, d;
    int u_transposed, v_transposed; // [RANK, HIDDEN] instead of [HIDDEN, RANK]
    int tied;                       // u and v are one tensor
};

struct AllPlaces {
    Places part[3];
};

#define GRAD_THREADS 128
#define GRAD_COLUMNS 128 // of a block, eight a thread
#define GRAD_TOKENS 256  // whose weights stand in shared memory at a time

// Gradients of slab blockIdx.y of the tokens: blockIdx.z = 2 part + kind, kind 0: dU = dy^T k with dc and dd, kind 1:
// dV = x^T dh. Each slab writes partials of its own, `stride` values apart, so the sum has one order; the V of tied factors
// has a second set behind the first. Eight groups of threads take every eighth token.
extern "C" __global__ void __launch_bounds__(GRAD_THREADS, 4)
    adapter_gradients(const Step* step, int only_first, const real* x, const real* z, const real* dz, int z_stride,
                      int capacity, int slab, Parts parts, AllPlaces places, Inner from, float* partials, int stride) {
    __shared__ __align__(16) float weights[GRAD_TOKENS][8];
    __shared__ float sums[GRAD_THREADS / WARP][64 + 8][GRAD_COLUMNS / 8];
    int part = blockIdx.z / 2, kind = blockIdx.z % 2;
    const Part p = parts.part[part];
    const Places place = places.part[part];
    int tokens = counted(step, only_first), begin = blockIdx.y * slab, end = min(begin + slab, tokens);
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    int group = threadIdx.x / (GRAD_COLUMNS / 8), eight = threadIdx.x % (GRAD_COLUMNS / 8);
    int column = blockIdx.x * GRAD_COLUMNS + 8 * eight;
    bool inside = column < HIDDEN, by_row = kind == 0 && p.c_len > 1;
    const real* a = kind == 0 ? dz + p.z_column : x;
    int a_stride = kind == 0 ? z_stride : HIDDEN;
    const float* w = (kind == 0 ? from.k : from.dh) + (u64)part * capacity * RANK;
    float* out = partials + (u64)(kind == 1 && place.tied ? gridDim.y + blockIdx.y : blockIdx.y) * stride;
    for (int j0 = 0; j0 < RANK; j0 += 8) {
        float sum[8][8] = {}, of_c[8] = {};
        for (int t0 = begin; t0 < end; t0 += GRAD_TOKENS) {
            __syncthreads();
#if RANK % 4 == 0
#pragma unroll
            for (int i = threadIdx.x; i < GRAD_TOKENS * 2; i += GRAD_THREADS) {
                int t = t0 + i / 2, j = j0 + i % 2 * 4;
                bool there = t < end && j < RANK;
                float4 v = there ? *(const float4*)(w + (u64)t * RANK + j) : make_float4(0, 0, 0, 0);
                *(float4*)&weights[i / 2][i % 2 * 4] = v;
            }
#else
            for (int i = threadIdx.x; i < GRAD_TOKENS * 8; i += GRAD_THREADS) {
                int t = t0 + i / 8, j = j0 + i % 8;
                weights[i / 8][i % 8] = t < end && j < RANK ? w[(u64)t * RANK + j] : 0.f;
            }
#endif
            __syncthreads();
            if (!inside) continue;
#pragma unroll 8
            for (int k = group; k < GRAD_TOKENS; k += GRAD_THREADS / (GRAD_COLUMNS / 8)) {
                // Past the end the weights are 0.
                int t = min(t0 + k, tokens - 1);
                float v[8], f[8];
                load8(a + (u64)t * a_stride + column, v);
                load8f(weights[k], f);
#pragma unroll
                for (int i = 0; i < 8; ++i)
#pragma unroll
                    for (int j = 0; j < 8; ++j) sum[i][j] += v[i] * f[j];
                if (by_row && j0 == 0 && t0 + k < end) {
                    load8(z + (u64)t * z_stride + p.z_column + column, f);
                    for (int i = 0; i < 8; ++i) of_c[i] += v[i] * f[i];
                }
            }
        }
        // Over the groups: two in each warp, then over the warps.
#pragma unroll
        for (int i = 0; i < 72; ++i) {
            if (i == 64 && !by_row) break;
            float v = i < 64 ? sum[i / 8][i % 8] : of_c[i % 8];
            v += __shfl_xor_sync(0xffffffffu, v, 16);
            if (lane < 16) sums[warp][i][lane] = v;
        }
        __syncthreads();
        int at = kind == 0 ? place.u : place.v;
        bool transposed = kind == 0 ? place.u_transposed : place.v_transposed;
        for (int i = threadIdx.x; i < GRAD_COLUMNS * 8; i += GRAD_THREADS) {
            int of = blockIdx.x * GRAD_COLUMNS + i / 8, j = j0 + i % 8;
            if (of >= HIDDEN || j >= RANK) continue;
            float g = 0;
            for (int k = 0; k < GRAD_THREADS / WARP; ++k) g += sums[k][i % 64][i / 64];
            out[at + (transposed ? j * HIDDEN + of : of * RANK + j)] = g;
        }
        if (by_row && j0 == 0) {
            int of = blockIdx.x * GRAD_COLUMNS + threadIdx.x;
            float g = 0;
            for (int k = 0; k < GRAD_THREADS / WARP; ++k) g += sums[k][64 + threadIdx.x % 8][threadIdx.x / 8];
            if (of < HIDDEN) out[place.c + of] = g;
        }
    }
    // A warp for each of d's values and for a scalar c; the V side of tied factors adds nothing to them.
    if (blockIdx.x != 0 || (kind == 1 && !place.tied)) return;
    const float* dd = from.dd + (u64)part * capacity * RANK;
    if (place.d >= 0)
        for (int j = warp; j < RANK; j += GRAD_THREADS / WARP) {
            float sum = 0;
            if (kind == 0)
                for (int t = begin + lane; t < end; t += WARP) sum += dd[(u64)t * RANK + j];
            sum = warp_sum(sum);
            if (lane == 0) out[place.d + j] = sum;
        }
    if (place.c >= 0 && p.c_len == 1 && warp == 0) {
        float sum = 0;
        if (kind == 0)
            for (int t = begin + lane; t < end; t += WARP) sum += from.e[(u64)part * capacity + t];
        sum = warp_sum(sum);
        if (lane == 0) out[place.c] = sum;
    }
    if (place.c >= 0 && p.c_len > 1 && kind == 1)
        for (int i = threadIdx.x; i < HIDDEN; i += GRAD_THREADS) out[place.c + i] = 0.f;
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
    int u_transposed, v_transposed, c_len;
};

// Storage copies of all factors; blockIdx.y is the matrix.
extern "C" __global__ void refresh_factors(const Matrix* matrices) {
    const Matrix m = matrices[blockIdx.y];
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= RANK * HIDDEN) return;
    int j = at / HIDDEN, i = at % HIDDEN;
    m.u_rows[at] = narrow(m.u[m.u_transposed ? at : i * RANK + j]);
    real v = narrow(operand(m.v[m.v_transposed ? at : i * RANK + j]));
    m.v_rows[at] = v;
    if (m.v_scaled) m.v_scaled[at] = v;
}

// c.W0 for the gradient of x; blockIdx.y is the matrix, blockIdx.x its row.
extern "C" __global__ void refresh_scaled(const Matrix* matrices) {
    const Matrix m = matrices[blockIdx.y];
    int row = blockIdx.x;
    float c = m.c[m.c_len == 1 ? 0 : row];
    for (int column = threadIdx.x * 8; column < HIDDEN; column += blockDim.x * 8) {
        float v[8];
        load8(m.w0 + (u64)row * HIDDEN + column, v);
        for (int i = 0; i < 8; ++i) v[i] *= c;
        store8_operand(m.scaled + (u64)row * HIDDEN + column, v);
    }
}
