// softmax(scale Q K^T) with dropout, times V, for each row and head, forward and backward, without the scores in memory.
// A block takes 64 queries (or keys) of one row and head and walks over the other side in tiles of 64 (Dao 2023). The way
// back computes the probabilities again from the kept log sums; dK and dV, and dQ, have blocks of their own, so no sum
// depends on who was first.

// Where the rows of the batch lie, and which of their scores count.
struct Rows {
    const int* first;     // [rows + 1] first token of each row, then the end
    const int* columns;   // [tokens] column in the padded batch: scores are numbered there
    const u8* leads;      // [rows] the first token takes part as a key
    int only_first;       // one query a row: its first token
    int most;             // longest row, rounded up to 64: the stride of `flags`
};

// Q, K, V or their gradients: a matrix of tokens whose column 0 is the first head's.
struct Matrices {
    real* q;
    real* k;
    real* v;
    int q_stride, k_stride, v_stride;
};

// Kept flags of one query: 32 keys from k0 on, the lowest bit first.
__device__ inline u32 kept_keys(const Site& site, const Step* step, const Rows& rows, int row, int head, int first, int len,
                                int q, int k0) {
    int width = step->width;
    u64 base = (((u64)row * HEADS + head) * width + rows.columns[first + q]) * width;
    int count = min(32, len - k0);
    if (count <= 0) return 0;
    int from = rows.columns[first + k0];
    u32 bits = 0;
    if (rows.columns[first + k0 + count - 1] - from == count - 1) {
        u64 element = base + from;
        int skip = element % 4;
        u32 block = (u32)(element / 4);
        for (int i = 0; i < 8 + (skip != 0); ++i) {
            Words r = philox(block + i, site.number, step->step, site.seed);
#pragma unroll
            for (int w = 0; w < 4; ++w) {
                int bit = 4 * i + w - skip;
                if (bit >= 0 && bit < 32) bits |= (u32)(r.w[w] >= site.threshold) << bit;
            }
        }
    } else {
        for (int i = 0; i < count; ++i) {
            u64 element = base + rows.columns[first + k0 + i];
            Words r = philox((u32)(element / 4), site.number, step->step, site.seed);
            bits |= (u32)(r.w[element % 4] >= site.threshold) << i;
        }
    }
    return bits;
}

__device__ inline u64 flag_place(const Rows& rows, int row, int head, int q) {
    return (((u64)row * HEADS + head) * rows.most + q) * (rows.most / 32);
}

extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS)
    attention_forward(const Step* step, Rows rows, Matrices in, float scale, Site site, real* context, float* logs,
                      u32* flags, int capacity) {
    extern __shared__ __align__(16) u8 memory[];
    real* queries = (real*)memory;
    real* keys = queries + TILE * ROW;
    real* values = keys + TILE * ROW;
    __shared__ u32 kept[TILE][2];
    int row = blockIdx.z, head = blockIdx.y, q0 = blockIdx.x * TILE;
    int first = rows.first[row], len = rows.first[row + 1] - first;
    int asked = rows.only_first ? 1 : len;
    if (q0 >= asked) return;
    int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    u64 column = head * HEAD;
    load_tile(queries, in.q + (u64)(first + q0) * in.q_stride + column, in.q_stride, asked - q0);
    float out[HEAD_TILES][4] = {};
    float top[2] = {-1e30f, -1e30f}, sum[2] = {};
    for (int k0 = 0; k0 < len; k0 += TILE) {
        __syncthreads();
        load_tile(keys, in.k + (u64)(first + k0) * in.k_stride + column, in.k_stride, len - k0);
        load_tile(values, in.v + (u64)(first + k0) * in.v_stride + column, in.v_stride, len - k0);
        if (site.threshold) {
            int q = threadIdx.x / 2, half = threadIdx.x % 2;
            u32 bits = 0;
            if (q0 + q < asked) {
                bits = kept_keys(site, step, rows, row, head, first, len, q0 + q, k0 + 32 * half);
                if (flags) flags[flag_place(rows, row, head, q0 + q) + k0 / 32 + half] = bits;
            }
            kept[q][half] = bits;
        }
        __syncthreads();
        float s[TILE / 8][4];
        product_by_column(s, queries, warp * 16, keys);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float high = top[half];
#pragma unroll
            for (int n = 0; n < TILE / 8; ++n)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    int key = k0 + n * 8 + 2 * t + i;
                    float& v = s[n][2 * half + i];
                    v = key < len && (key > 0 || rows.leads[row]) ? v * scale : -1e30f;
                    high = fmaxf(high, v);
                }
            high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 1));
            high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 2));
            float shrink = expf(top[half] - high);
            top[half] = high;
            sum[half] *= shrink;
#pragma unroll
            for (int n = 0; n < HEAD_TILES; ++n) out[n][2 * half] *= shrink, out[n][2 * half + 1] *= shrink;
            int q = warp * 16 + g + 8 * half;
#pragma unroll
            for (int n = 0; n < TILE / 8; ++n)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    int key = n * 8 + 2 * t + i;
                    float& v = s[n][2 * half + i];
                    v = v > -1e29f ? expf(v - high) : 0.f;
                    sum[half] += v;
                    if (site.threshold) v = kept[q][key / 32] >> key % 32 & 1 ? v * site.scale : 0.f;
                }
        }
        product_by_row(out, s, values);
    }
    float total[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float v = sum[half];
        v += __shfl_xor_sync(0xffffffffu, v, 1);
        v += __shfl_xor_sync(0xffffffffu, v, 2);
        total[half] = v;
        int q = q0 + warp * 16 + g + 8 * half;
        if (logs && t == 0 && q < asked) logs[(u64)head * capacity + first + q] = top[half] + logf(v);
    }
    real* to = context + (u64)(rows.only_first ? row : first + q0) * HIDDEN + column;
    store_rows(to, HIDDEN, warp * 16, asked - q0, out, 1.f / total[0], 1.f / total[1]);
}

// What the queries of one tile bring to the way back: sum over a head of dO O, log sums and kept flags.
struct Slopes {
    float dots[TILE];
    float logs[TILE];
    u32 kept[TILE][2];
};

__device__ inline void load_slopes(Slopes& to, const Site& site, const Rows& rows, int row, int head, int first, int len,
                                   int asked, int q0, int k0, const real* dcontext_tile, const real* context,
                                   const float* logs, const u32* flags, int capacity) {
    int q = threadIdx.x / 2, half = threadIdx.x % 2;
    bool there = q0 + q < asked;
    float dot = 0;
    if (there) {
        const real* o = context + (u64)(rows.only_first ? row : first + q0 + q) * HIDDEN + head * HEAD;
        for (int i = half; i < HEAD; i += 2) dot += widen(o[i]) * widen(dcontext_tile[q * ROW + i]);
    }
    dot += __shfl_xor_sync(0xffffffffu, dot, 1);
    to.kept[q][half] = there && site.threshold ? flags[flag_place(rows, row, head, q0 + q) + k0 / 32 + half] : 0u;
    if (half == 0) {
        to.dots[q] = dot;
        to.logs[q] = there ? logs[(u64)head * capacity + first + q0 + q] : 0.f;
    }
}

// blockIdx.x counts tiles of keys, then tiles of queries. d.q, d.k, d.v get the gradients of q, k and v.
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS)
    attention_backward(Rows rows, Matrices in, float scale, Site site, const real* context, const real* dcontext,
                       const float* logs, const u32* flags, int capacity, Matrices d) {
    extern __shared__ __align__(16) u8 memory[];
    real* queries = (real*)memory;
    real* keys = queries + TILE * ROW;
    real* values = keys + TILE * ROW;
    real* slopes = values + TILE * ROW; // of the context
    __shared__ Slopes of;
    int tiles = gridDim.x / 2;
    bool by_key = blockIdx.x < tiles;
    int row = blockIdx.z, head = blockIdx.y, own = (by_key ? blockIdx.x : blockIdx.x - tiles) * TILE;
    int first = rows.first[row], len = rows.first[row + 1] - first;
    int asked = rows.only_first ? 1 : len;
    if (own >= len) return;
    int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4, m0 = warp * 16;
    u64 column = head * HEAD;
    const real* dcontext_row = dcontext + (u64)(rows.only_first ? row : first) * HIDDEN + column;
    if (by_key) {
        load_tile(keys, in.k + (u64)(first + own) * in.k_stride + column, in.k_stride, len - own);
        load_tile(values, in.v + (u64)(first + own) * in.v_stride + column, in.v_stride, len - own);
        float dk[HEAD_TILES][4] = {}, dv[HEAD_TILES][4] = {};
        for (int q0 = 0; q0 < asked; q0 += TILE) {
            __syncthreads();
            load_tile(queries, in.q + (u64)(first + q0) * in.q_stride + column, in.q_stride, asked - q0);
            load_tile(slopes, dcontext_row + (u64)q0 * HIDDEN, HIDDEN, asked - q0);
            __syncthreads();
            load_slopes(of, site, rows, row, head, first, len, asked, q0, own, slopes, context, logs, flags, capacity);
            __syncthreads();
            float p[TILE / 8][4], dp[TILE / 8][4];
            product_by_column(p, keys, m0, queries);
            product_by_column(dp, values, m0, slopes);
#pragma unroll
            for (int n = 0; n < TILE / 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    int q = n * 8 + 2 * t + i % 2, key = m0 + g + i / 2 * 8;
                    bool counts = q0 + q < asked && own + key < len && (own + key > 0 || rows.leads[row]);
                    float share = counts ? expf(p[n][i] * scale - of.logs[q]) : 0.f;
                    float factor = 1.f;
                    if (site.threshold) factor = of.kept[q][key / 32] >> key % 32 & 1 ? site.scale : 0.f;
                    p[n][i] = share * factor;
                    dp[n][i] = share * (dp[n][i] * factor - of.dots[q]) * scale;
                }
            product_by_row(dv, p, slopes);
            product_by_row(dk, dp, queries);
        }
        store_rows(d.k + (u64)(first + own) * d.k_stride + column, d.k_stride, m0, len - own, dk, 1.f, 1.f);
        store_rows(d.v + (u64)(first + own) * d.v_stride + column, d.v_stride, m0, len - own, dv, 1.f, 1.f);
    } else {
        float dq[HEAD_TILES][4] = {};
        if (own < asked) {
            load_tile(queries, in.q + (u64)(first + own) * in.q_stride + column, in.q_stride, asked - own);
            load_tile(slopes, dcontext_row + (u64)own * HIDDEN, HIDDEN, asked - own);
            for (int k0 = 0; k0 < len; k0 += TILE) {
                __syncthreads();
                load_tile(keys, in.k + (u64)(first + k0) * in.k_stride + column, in.k_stride, len - k0);
                load_tile(values, in.v + (u64)(first + k0) * in.v_stride + column, in.v_stride, len - k0);
                load_slopes(of, site, rows, row, head, first, len, asked, own, k0, slopes, context, logs, flags, capacity);
                __syncthreads();
                float p[TILE / 8][4], dp[TILE / 8][4];
                product_by_column(p, queries, m0, keys);
                product_by_column(dp, slopes, m0, values);
#pragma unroll
                for (int n = 0; n < TILE / 8; ++n)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        int key = n * 8 + 2 * t + i % 2, q = m0 + g + i / 2 * 8;
                        bool counts = own + q < asked && k0 + key < len && (k0 + key > 0 || rows.leads[row]);
                        float share = counts ? expf(p[n][i] * scale - of.logs[q]) : 0.f;
                        float factor = 1.f;
                        if (site.threshold) factor = of.kept[q][key / 32] >> key % 32 & 1 ? site.scale : 0.f;
                        dp[n][i] = share * (dp[n][i] * factor - of.dots[q]) * scale;
                    }
                product_by_row(dq, dp, keys);
            }
        }
        // Tokens that asked nothing get 0.
        store_rows(d.q + (u64)(first + own) * d.q_stride + column, d.q_stride, m0, len - own, dq, 1.f, 1.f);
    }
}
