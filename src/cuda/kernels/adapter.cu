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

#define TOKENS 4

// y of TOKENS tokens by one warp; blockIdx.y is the part.
extern "C" __global__ void combine(const real* z, int z_stride, int capacity, float s, Parts parts) {
    const Part p = parts.part[blockIdx.y];
    int t0 = (blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP) * TOKENS;
    if (t0 >= capacity) return;
    EACH_CHUNK(c, column) {
        float y[TOKENS][8], b[8], scale[8];
        load8f(p.bias + column, b);
        for (int i = 0; i < 8; ++i) scale[i] = p.c_len == 0 ? 1.f : p.c[p.c_len == 1 ? 0 : column + i];
        for (int k = 0; k < TOKENS; ++k) {
            if (t0 + k >= capacity) break;
            load8(z + (u64)(t0 + k) * z_stride + p.z_column + column, y[k]);
            for (int i = 0; i < 8; ++i) y[k][i] = y[k][i] * scale[i] + b[i];
        }
        if (p.u) {
#pragma unroll 4
            for (int j = 0; j < RANK; ++j) {
                float u[8];
                load8(p.u + j * HIDDEN + column, u);
                float factor = s * (p.d ? p.d[j] : 1.f);
#pragma unroll
                for (int k = 0; k < TOKENS; ++k) {
                    if (t0 + k >= capacity) break;
                    float h = factor * widen(z[(u64)(t0 + k) * z_stride + p.h_column + j]);
                    for (int i = 0; i < 8; ++i) y[k][i] += h * u[i];
                }
            }
        }
        for (int k = 0; k < TOKENS; ++k)
            if (t0 + k < capacity) store8(p.y + (u64)(t0 + k) * p.y_stride + column, y[k]);
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

extern "C" __global__ void adapter_inner(const Step* step, int only_first, const real* z, real* dz, int z_stride,
                                         int capacity, float s, Parts parts, Inner to) {
    const Part p = parts.part[blockIdx.y];
    int t0 = (blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP) * TOKENS;
    int tokens = counted(step, only_first);
    if (t0 >= tokens) return;
    int lane = threadIdx.x % WARP;
    for (int j0 = 0; j0 < RANK; j0 += 8) {
        float g[TOKENS][8], e[TOKENS];
        for (int k = 0; k < TOKENS; ++k) {
            e[k] = 0;
            for (int j = 0; j < 8; ++j) g[k][j] = 0;
        }
        EACH_CHUNK(c, column) {
            float dy[TOKENS][8];
            for (int k = 0; k < TOKENS; ++k) {
                u64 at = (u64)min(t0 + k, tokens - 1) * z_stride + p.z_column + column;
                load8(dz + at, dy[k]);
                if (p.c_len == 1 && j0 == 0) {
                    float w[8];
                    load8(z + at, w);
                    for (int i = 0; i < 8; ++i) e[k] += dy[k][i] * w[i];
                }
            }
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                if (j0 + j >= RANK) break;
                float u[8];
                load8(p.u + (j0 + j) * HIDDEN + column, u);
                for (int k = 0; k < TOKENS; ++k)
                    for (int i = 0; i < 8; ++i) g[k][j] += dy[k][i] * u[i];
            }
        }
#pragma unroll
        for (int k = 0; k < TOKENS; ++k) {
            // Lane j keeps the sum of rank j0 + j, lane 8 that of c.
            float mine = 0;
            for (int j = 0; j < 8; ++j) {
                float sum = warp_sum(g[k][j]);
                if (lane == j) mine = sum;
            }
            float of_c = p.c_len == 1 && j0 == 0 ? warp_sum(e[k]) : 0.f;
            int t = t0 + k, j = j0 + lane;
            if (t >= tokens) break;
            if (lane < 8 && j < RANK) {
                float h = widen(z[(u64)t * z_stride + p.h_column + j]);
                float d = p.d ? p.d[j] : 1.f;
                u64 at = ((u64)blockIdx.y * capacity + t) * RANK + j;
                to.k[at] = s * d * h;
                to.dh[at] = s * d * mine;
                to.dd[at] = s * h * mine;
                dz[(u64)t * z_stride + p.h_column + j] = narrow(s * d * mine);
            }
            if (lane == 0 && j0 == 0) to.e[(u64)blockIdx.y * capacity + t] = of_c;
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

// Columns of a block: two a thread.
#define GRAD_THREADS 128
#define GRAD_COLUMNS GRAD_THREADS
#define GRAD_RANKS 8

// Gradients of slab blockIdx.y of the tokens: blockIdx.z = 2 part + kind, kind 0: dU = dy^T k with dc and dd, kind 1:
// dV = x^T dh. Each slab writes partials of its own, `stride` values apart, so the sum has one order; the V of tied factors
// has a second set behind the first.
extern "C" __global__ void adapter_gradients(const Step* step, int only_first, const real* x, const real* z,
                                             const real* dz, int z_stride, int capacity, int slab, Parts parts,
                                             AllPlaces places, Inner from, float* partials, int stride) {
    __shared__ float weights[64][GRAD_RANKS];
    __shared__ float halves[GRAD_THREADS / 2][2 * GRAD_RANKS + 2];
    int part = blockIdx.z / 2, kind = blockIdx.z % 2;
    const Part p = parts.part[part];
    const Places place = places.part[part];
    int tokens = counted(step, only_first), begin = blockIdx.y * slab, end = min(begin + slab, tokens);
    int half = threadIdx.x / (GRAD_THREADS / 2), pair = threadIdx.x % (GRAD_THREADS / 2);
    int column = blockIdx.x * GRAD_COLUMNS + 2 * pair;
    bool inside = column < HIDDEN;
    bool by_row = kind == 0 && p.c_len > 1;
    const real* a = kind == 0 ? dz + p.z_column : x;
    int a_stride = kind == 0 ? z_stride : HIDDEN;
    const float* w = (kind == 0 ? from.k : from.dh) + (u64)part * capacity * RANK;
    float* out = partials + (u64)(kind == 1 && place.tied ? gridDim.y + blockIdx.y : blockIdx.y) * stride;
    for (int j0 = 0; j0 < RANK; j0 += GRAD_RANKS) {
        float sum[2][GRAD_RANKS] = {}, of_c[2] = {};
        for (int t0 = begin; t0 < end; t0 += 64) {
            __syncthreads();
            for (int i = threadIdx.x; i < 64 * GRAD_RANKS; i += GRAD_THREADS) {
                int t = t0 + i / GRAD_RANKS, j = j0 + i % GRAD_RANKS;
                weights[i / GRAD_RANKS][i % GRAD_RANKS] = t < end && j < RANK ? w[(u64)t * RANK + j] : 0.f;
            }
            __syncthreads();
            if (!inside) continue;
#pragma unroll 8
            for (int k = half * 32; k < half * 32 + 32; ++k) {
                int t = min(t0 + k, tokens - 1);
                const real* at = a + (u64)t * a_stride + column;
                float v[2] = {widen(at[0]), widen(at[1])};
#pragma unroll
                for (int j = 0; j < GRAD_RANKS; ++j) {
                    sum[0][j] += v[0] * weights[k][j];
                    sum[1][j] += v[1] * weights[k][j];
                }
                if (by_row && j0 == 0 && t0 + k < end)
                    for (int i = 0; i < 2; ++i) of_c[i] += v[i] * widen(z[(u64)t * z_stride + p.z_column + column + i]);
            }
        }
        __syncthreads();
        if (half == 1) {
            for (int j = 0; j < GRAD_RANKS; ++j) halves[pair][j] = sum[0][j], halves[pair][GRAD_RANKS + j] = sum[1][j];
            halves[pair][2 * GRAD_RANKS] = of_c[0], halves[pair][2 * GRAD_RANKS + 1] = of_c[1];
        }
        __syncthreads();
        if (half == 0 && inside) {
            int at = kind == 0 ? place.u : place.v;
            bool transposed = kind == 0 ? place.u_transposed : place.v_transposed;
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < GRAD_RANKS && j0 + j < RANK; ++j) {
                    float g = sum[i][j] + halves[pair][i * GRAD_RANKS + j];
                    out[at + (transposed ? (j0 + j) * HIDDEN + column + i : (column + i) * RANK + j0 + j)] = g;
                }
            if (by_row && j0 == 0)
                for (int i = 0; i < 2; ++i) out[place.c + column + i] = of_c[i] + halves[pair][2 * GRAD_RANKS + i];
        }
    }
    // A warp for each of d's values and for a scalar c; the V side of tied factors adds nothing to them.
    if (blockIdx.x != 0 || (kind == 1 && !place.tied)) return;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
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
    real v = narrow(m.v[m.v_transposed ? at : i * RANK + j]);
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
        store8(m.scaled + (u64)row * HIDDEN + column, v);
    }
}
