// The way back of the linear form in adapter.cu: the gradients of its factors, and what the product with [W0; V^T] needs for that
// of x.

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

#define INNER_TOKENS 16 // of a block
#define INNER_WARPS 4
#define INNER_RANKS 32 // at a time

// Sixteen bytes of a row as a product takes them.
struct Sixteen {
    piece p[4];
};

#define EACH (16 / (int)sizeof(real)) // values in them

__device__ inline Sixteen load16(const real* from, bool there) {
    Sixteen s = {};
    if (there) *(uint4*)&s = *(const uint4*)from;
    return s;
}

__device__ inline float dot16(const Sixteen& a, const Sixteen& b) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#if PRECISION == 2
        sum += bits_to_float(a.p[i] << 16) * bits_to_float(b.p[i] << 16);
        sum += bits_to_float(a.p[i] & 0xffff0000u) * bits_to_float(b.p[i] & 0xffff0000u);
#else
        sum += a.p[i] * b.p[i];
#endif
    }
    return sum;
}

// A block does INNER_TOKENS tokens, each of its warps a part of the columns. Which column a step of the product takes as
// which k is free as long as both sides agree: a lane has 16 bytes of a row at a time, two steps of the product.
extern "C" __global__ void __launch_bounds__(INNER_WARPS* WARP, 4)
    adapter_inner(const Step* step, int only_first, const real* z, real* dz, int z_stride, int capacity, float s,
                  Parts parts, Inner to) {
    await_previous();
    __shared__ float sums[INNER_WARPS][INNER_TOKENS][INNER_RANKS + 1];
    __shared__ float dots[INNER_WARPS][INNER_TOKENS];
    const Part p = parts.part[blockIdx.y];
    int t0 = blockIdx.x * INNER_TOKENS, tokens = counted(step, only_first);
    if (t0 >= tokens) return;
    int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    u64 rows[2];
    for (int half = 0; half < 2; ++half) rows[half] = (u64)min(t0 + g + 8 * half, tokens - 1) * z_stride + p.z_column;
    for (int j0 = 0; j0 < RANK; j0 += INNER_RANKS) {
        bool with_c = p.c_len == 1 && j0 == 0;
        float sum[INNER_RANKS / 8][4] = {}, e[2] = {};
#pragma unroll 6
        for (int at = warp * 4 * EACH; at < HIDDEN; at += INNER_WARPS * 4 * EACH) {
            int column = at + t * EACH;
            bool there = column < HIDDEN;
            Sixteen dy[2];
            for (int half = 0; half < 2; ++half) dy[half] = load16(dz + rows[half] + column, there);
            if (with_c)
                for (int half = 0; half < 2; ++half) e[half] += dot16(dy[half], load16(z + rows[half] + column, there));
#pragma unroll
            for (int n = 0; n < INNER_RANKS / 8; ++n) {
                if (8 * n >= RANK) break;
                int j = j0 + 8 * n + g;
                Sixteen u = load16(p.u + (u64)j * HIDDEN + column, there && j < RANK);
                for (int i = 0; i < 4; i += 2)
                    mma_exact(sum[n], Left{{dy[0].p[i], dy[1].p[i], dy[0].p[i + 1], dy[1].p[i + 1]}},
                              Right{{u.p[i], u.p[i + 1]}});
            }
        }
        __syncthreads();
        for (int n = 0; n < INNER_RANKS / 8; ++n)
            for (int i = 0; i < 4; ++i) sums[warp][g + i / 2 * 8][8 * n + 2 * t + i % 2] = sum[n][i];
        if (with_c)
            for (int half = 0; half < 2; ++half) {
                float v = e[half];
                v += __shfl_xor_sync(0xffffffffu, v, 1);
                v += __shfl_xor_sync(0xffffffffu, v, 2);
                if (t == 0) dots[warp][g + 8 * half] = v;
            }
        __syncthreads();
        const int ranks = RANK < INNER_RANKS ? RANK : INNER_RANKS;
        for (int i = threadIdx.x; i < INNER_TOKENS * ranks; i += INNER_WARPS * WARP) {
            int k = i / ranks, j = j0 + i % ranks, token = t0 + k;
            if (token >= tokens || j >= RANK) continue;
            float of_u = 0;
            for (int w = 0; w < INNER_WARPS; ++w) of_u += sums[w][k][i % ranks];
            float h = widen(z[(u64)token * z_stride + p.h_column + j]);
            float d = p.d ? p.d[j] : 1.f;
            u64 at = ((u64)blockIdx.y * capacity + token) * RANK + j;
            to.k[at] = s * d * h;
            to.dh[at] = s * d * of_u;
            to.dd[at] = s * h * of_u;
            dz[(u64)token * z_stride + p.h_column + j] = narrow(operand(s * d * of_u));
        }
        int token = t0 + threadIdx.x;
        if (with_c && threadIdx.x < INNER_TOKENS && token < tokens) {
            float sum_of = 0;
            for (int w = 0; w < INNER_WARPS; ++w) sum_of += dots[w][threadIdx.x];
            to.e[(u64)blockIdx.y * capacity + token] = sum_of;
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

// What a product leaves out of v; f32's leaves nothing out.
__device__ inline float lost(float v) {
#if PRECISION == 2
    return v - widen(narrow(v));
#elif PRECISION == 1
    return v - operand(v);
#else
    return 0.f;
#endif
}

#define GRAD_THREADS 128
#define GRAD_COLUMNS 64 // of a block
#define GRAD_STEPS 4    // of the product of a warp over the tokens that stand in shared memory at a time
#define GRAD_TOKENS (GRAD_STEPS * K_STEP * GRAD_THREADS / WARP)
#define GRAD_ROW (GRAD_COLUMNS + 16 / (int)sizeof(real))

// Partial gradients of d and of a scalar c over tokens `begin` to `end`: a warp for each value.
__device__ inline void inner_gradients(const Part& p, const Places& place, const Inner& from, int part, int kind, int capacity,
                                       int begin, int end, float* out) {
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    // The V side of tied factors has partials of its own and adds nothing to these.
    if (kind == 1 && !place.tied) return;
    int values = (place.d >= 0 ? RANK : 0) + (place.c >= 0 && p.c_len == 1);
    for (int i = warp; i < values; i += GRAD_THREADS / WARP) {
        bool of_d = place.d >= 0 && i < RANK;
        const float* v = of_d ? from.dd + (u64)part * capacity * RANK + i : from.e + (u64)part * capacity;
        int stride = of_d ? RANK : 1;
        float sum = 0;
        if (kind == 0)
#pragma unroll 8
            for (int t = begin + lane; t < end; t += WARP) sum += v[(u64)t * stride];
        sum = warp_sum(sum);
        if (lane == 0) out[of_d ? place.d + i : place.c] = sum;
    }
    if (place.c >= 0 && p.c_len > 1 && kind == 1)
        for (int i = threadIdx.x; i < HIDDEN; i += GRAD_THREADS) out[place.c + i] = 0.f;
}

// Gradients of slab blockIdx.y of the tokens: blockIdx.z = 2 part + kind, kind 0: dU = dy^T k with dc and dd, kind 1:
// dV = x^T dh. Each slab writes partials of its own, `stride` values apart, so the sum has one order; the V of tied factors
// has a second set behind the first. The product is dU^T = k^T dy, eight ranks at a time: the lower half of its left side
// holds what rounding takes from the upper half. The last block of a slab has d and a scalar c instead of columns.
extern "C" __global__ void __launch_bounds__(GRAD_THREADS, 6)
    adapter_gradients(const Step* step, int only_first, const real* x, const real* z, const real* dz, int z_stride,
                      int capacity, int slab, Parts parts, AllPlaces places, Inner from, float* partials, int stride) {
    await_previous();
    __shared__ __align__(16) real tile[GRAD_TOKENS * GRAD_ROW];
    float(*sums)[8][GRAD_COLUMNS] = (float(*)[8][GRAD_COLUMNS])tile; // of each warp, once the tile was read
    __shared__ float of_c[2][GRAD_COLUMNS];
    int part = blockIdx.z / 2, kind = blockIdx.z % 2;
    const Part p = parts.part[part];
    const Places place = places.part[part];
    int tokens = counted(step, only_first), begin = blockIdx.y * slab, end = min(begin + slab, tokens);
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    int column0 = blockIdx.x * GRAD_COLUMNS;
    bool by_row = kind == 0 && p.c_len > 1;
    const real* a = (kind == 0 ? dz + p.z_column : x) + column0;
    int a_stride = kind == 0 ? z_stride : HIDDEN;
    const float* w = (kind == 0 ? from.k : from.dh) + (u64)part * capacity * RANK;
    float* out = partials + (u64)(kind == 1 && place.tied ? gridDim.y + blockIdx.y : blockIdx.y) * stride;
    if (blockIdx.x == gridDim.x - 1) {
        inner_gradients(p, place, from, part, kind, capacity, begin, end, out);
        return;
    }
    float c_sum = 0;
    for (int j0 = 0; j0 < RANK; j0 += 8) {
        float sum[GRAD_COLUMNS / 8][4] = {};
        for (int t0 = begin; t0 < end; t0 += GRAD_TOKENS) {
            __syncthreads();
            const int pieces = GRAD_COLUMNS / EACH;
#pragma unroll
            for (int i = threadIdx.x; i < GRAD_TOKENS * pieces; i += GRAD_THREADS) {
                int token = t0 + i / pieces, column = i % pieces * EACH;
                bool there = token < end && column0 + column < HIDDEN;
                copy16(tile + i / pieces * GRAD_ROW + column, there ? a + (u64)token * a_stride + column : a, there);
            }
            // The weights are on their way at the same time.
            const int held = K_STEP / 4;
            float f[GRAD_STEPS][held];
#pragma unroll
            for (int k = 0; k < GRAD_STEPS; ++k)
                for (int i = 0; i < held; ++i) {
                    int token = t0 + (k * GRAD_THREADS / WARP + warp) * K_STEP + 2 * t + i % 2 + i / 2 * 8;
                    f[k][i] = token < end && j0 + g < RANK ? w[(u64)token * RANK + j0 + g] : 0.f;
                }
            wait_for_copies();
            __syncthreads();
#pragma unroll
            for (int k = 0; k < GRAD_STEPS; ++k) {
                float rest[held];
                for (int i = 0; i < held; ++i) rest[i] = lost(f[k][i]);
#if PRECISION == 2
                Left left = {{pack_bf16(f[k][0], f[k][1]), pack_bf16(rest[0], rest[1]), pack_bf16(f[k][2], f[k][3]),
                              pack_bf16(rest[2], rest[3])}};
#else
                Left left = {{f[k][0], rest[0], f[k][1], rest[1]}};
#endif
#pragma unroll
                for (int n = 0; n < GRAD_COLUMNS / 8; n += 2) {
                    Right right[2];
                    right_by_row(tile, GRAD_ROW, (k * GRAD_THREADS / WARP + warp) * K_STEP, n * 8, right);
                    mma(sum[n], left, right[0]);
                    mma(sum[n + 1], left, right[1]);
                }
            }
            if (by_row && j0 == 0) {
                int column = threadIdx.x % GRAD_COLUMNS;
                for (int k = threadIdx.x / GRAD_COLUMNS; k < GRAD_TOKENS && t0 + k < end; k += 2)
                    if (column0 + column < HIDDEN)
                        c_sum += widen(tile[k * GRAD_ROW + column]) *
                                 widen(z[(u64)(t0 + k) * z_stride + p.z_column + column0 + column]);
            }
        }
        __syncthreads();
        for (int n = 0; n < GRAD_COLUMNS / 8; ++n)
            for (int i = 0; i < 2; ++i) sums[warp][g][8 * n + 2 * t + i] = sum[n][i] + sum[n][2 + i];
        if (by_row && j0 == 0) of_c[threadIdx.x / GRAD_COLUMNS][threadIdx.x % GRAD_COLUMNS] = c_sum;
        __syncthreads();
        int at = kind == 0 ? place.u : place.v;
        bool transposed = kind == 0 ? place.u_transposed : place.v_transposed;
        for (int i = threadIdx.x; i < GRAD_COLUMNS * 8; i += GRAD_THREADS) {
            int own = transposed ? i % GRAD_COLUMNS : i / 8, rank = transposed ? i / GRAD_COLUMNS : i % 8;
            int column = column0 + own, j = j0 + rank;
            if (column >= HIDDEN || j >= RANK) continue;
            float v = 0;
            for (int k = 0; k < GRAD_THREADS / WARP; ++k) v += sums[k][rank][own];
            out[at + (transposed ? j * HIDDEN + column : column * RANK + j)] = v;
        }
        int column = column0 + threadIdx.x;
        if (by_row && j0 == 0 && threadIdx.x < GRAD_COLUMNS && column < HIDDEN)
            out[place.c + column] = of_c[0][threadIdx.x] + of_c[1][threadIdx.x];
    }
}
