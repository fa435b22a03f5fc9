// The way back of attention.cu: dV = P'^T dO, dS = P (dP' - sum(dO O)), dK = scale dS^T Q, dQ = scale dS K, with the probabilities
// P computed again from the kept log sums and P' = dropout(P). One block does a whole row and head, so every sum has one
// order: a warp has 16 keys and all queries for dK and dV; for dQ the block's dS stands in shared memory, 32 queries at a time.

// What the queries of one tile bring: sum over the head of dO O, log sums, kept flags.
struct Queries {
    float dots[TILE];
    float logs[TILE];
    u32 kept[TILE][TILE / 32];
};

__device__ inline void load_queries(Queries& to, const Site& site, const Rows& rows, int row, int head, int first, int len,
                                    int asked, int q0, int k0, const real* dcontext, const real* context,
                                    const float* logs, const u32* flags, int capacity) {
    // Two threads a query.
    int q = threadIdx.x / 2, half = threadIdx.x % 2;
    bool there = q0 + q < asked;
    float dot = 0;
    if (there) {
        const real* o = context + (u64)(rows.only_first ? row : first + q0 + q) * HIDDEN + head * HEAD;
        const real* d = dcontext + q * ROW;
#if HEAD % 16 == 0
#pragma unroll
        for (int i = half * (HEAD / 2); i < (half + 1) * (HEAD / 2); i += 8) {
            float a[8], b[8];
            load8(o + i, a);
            load8(d + i, b);
            for (int j = 0; j < 8; ++j) dot += a[j] * b[j];
        }
#else
        for (int i = half; i < HEAD; i += 2) dot += widen(o[i]) * widen(d[i]);
#endif
        if (site.threshold)
            for (int word = half * (TILE / 64); word < (half + 1) * (TILE / 64); ++word)
                if (k0 + 32 * word < len) to.kept[q][word] = flags[flag_place(rows, row, head, q0 + q) + k0 / 32 + word];
    }
    dot += __shfl_xor_sync(0xffffffffu, dot, 1);
    if (half == 0) {
        to.dots[q] = dot;
        to.logs[q] = there ? logs[(u64)head * capacity + first + q0 + q] : 0.f;
    }
}

// `d` gets the gradients of q, k and v; `sums` [tokens, HIDDEN] f32 holds those of q between the key tiles of long rows.
extern "C" __global__ void 
    __launch_bounds__(ATTENTION_THREADS, (PRECISION == 2 && HEAD <= 64 ? 512 : 256) / ATTENTION_THREADS)
    ATTENTION(attention_backward)(Rows rows, Matrices in, float scale, Site site, const real* context, const real* dcontext,
                       const float* logs, const u32* flags, int capacity, Matrices d, float* sums) {
    await_previous();
    extern __shared__ __align__(16) u8 memory[];
    real* queries = (real*)memory;
    real* slopes = queries + TILE * ROW; // of the context
    real* keys = slopes + TILE * ROW;
    real* values = keys + TILE * ROW;
    real* score_slopes = values + TILE * ROW; // two of [TILE][SLOPE_ROW]
    __shared__ Queries of;
    int row = blockIdx.y, head = blockIdx.x;
    int first = rows.first[row], len = rows.first[row + 1] - first;
    int asked = rows.only_first ? 1 : len;
    int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4, m0 = warp * 16;
    u64 column = head * HEAD;
    const real* dcontext_row = dcontext + (u64)(rows.only_first ? row : first) * HIDDEN + column;
    bool leads = rows.leads[row];
    float kept_scale = site.threshold ? site.scale : 1.f;
    for (int k0 = 0; k0 < len; k0 += TILE) {
        float dk[HEAD_TILES][4] = {}, dv[HEAD_TILES][4] = {};
        int some = min(TILE, len - k0);
        for (int q0 = 0; q0 < asked; q0 += TILE) {
            __syncthreads();
            if (q0 == 0) {
                load_tile(keys, in.k + (u64)(first + k0) * in.k_stride + column, in.k_stride, some);
                load_tile(values, in.v + (u64)(first + k0) * in.v_stride + column, in.v_stride, some);
            }
            load_tile(queries, in.q + (u64)(first + q0) * in.q_stride + column, in.q_stride, asked - q0);
            load_tile(slopes, dcontext_row + (u64)q0 * HIDDEN, HIDDEN, asked - q0);
            wait_for_copies();
            __syncthreads();
            if (q0 == 0 && k0 == 0 && !leads)
                for (int i = threadIdx.x; i < HEAD_PADDED; i += ATTENTION_THREADS) keys[i] = values[i] = narrow(0.f);
            load_queries(of, site, rows, row, head, first, len, asked, q0, k0, slopes, context, logs, flags, capacity);
            __syncthreads();
            for (int q1 = 0; q1 < TILE && q0 + q1 < asked; q1 += SLOPE_QUERIES) {
                real* ds = score_slopes + q1 / SLOPE_QUERIES % 2 * TILE * SLOPE_ROW;
                if (m0 < some) {
                    float p[SLOPE_QUERIES / 8][4], dp[SLOPE_QUERIES / 8][4];
                    product_by_column(p, keys, m0, queries + q1 * ROW);
                    product_by_column(dp, values, m0, slopes + q1 * ROW);
#pragma unroll
                    for (int n = 0; n < SLOPE_QUERIES / 8; ++n)
#pragma unroll
                        for (int i = 0; i < 2; ++i) {
                            int q = q1 + n * 8 + 2 * t + i;
                            float dot = of.dots[q], log = of.logs[q];
                            u32 word = site.threshold ? of.kept[q][m0 / 32] >> (m0 % 32 + g) : ~0u;
#pragma unroll
                            for (int half = 0; half < 2; ++half) {
                                float &share = p[n][2 * half + i], &slope = dp[n][2 * half + i];
                                float factor = word >> 8 * half & 1 ? kept_scale : 0.f;
                                // No probability is above 1; of a key past the end only that matters.
                                float whole = power_of_two(fminf(share * (scale * LOG2_E) - log, 0.f));
                                share = whole * factor;
                                slope = whole * (slope * factor - dot);
                            }
                        }
#pragma unroll
                    for (int n = 0; n < SLOPE_QUERIES / 8; ++n)
#pragma unroll
                        for (int half = 0; half < 2; ++half)
                            store2(ds + (m0 + g + 8 * half) * SLOPE_ROW + n * 8 + 2 * t, dp[n][2 * half], dp[n][2 * half + 1]);
                    product_by_row(dv, p, slopes + q1 * ROW);
                    product_by_row(dk, dp, queries + q1 * ROW);
                }
                // One barrier a turn: dS of the next turn goes to the other half.
                __syncthreads();
                int q = q1 + warp % 2 * 16;
                if (q0 + q >= asked) continue;
                for (int n = warp / 2 * 2; n < HEAD_TILES; n += ATTENTION_THREADS / WARP) {
                    float dq[2][4] = {};
                    for (int k = 0; k < some; k += K_STEP) {
                        Left a = left_turned(ds, warp % 2 * 16, k);
                        Right b[2];
                        right_by_row(keys, ROW, k, n * 8, b);
                        mma(dq[0], a, b[0]);
                        mma(dq[1], a, b[1]);
                    }
#pragma unroll
                    for (int i = 0; i < 8; ++i) {
                        int query = q0 + q + g + i / 2 % 2 * 8, at = (n + i / 4) * 8 + 2 * t + i % 2;
                        float& v = dq[i / 4][i % 4];
                        v *= scale;
                        if (len <= TILE || query >= asked || at >= HEAD) continue;
                        float* sum = sums + (u64)(first + query) * HIDDEN + column + at;
                        if (k0 > 0) v += *sum;
                        if (k0 + TILE < len) *sum = v;
                    }
                    // Every warp is done with these queries; their place holds their gradient.
                    for (int i = 0; i < 2; ++i) {
                        real* at = queries + (q + g) * ROW + (n + i) * 8 + 2 * t;
                        store2(at, dq[i][0], dq[i][1]);
                        store2(at + 8 * ROW, dq[i][2], dq[i][3]);
                    }
                }
            }
            __syncthreads();
            if (k0 + TILE >= len)
                store_tile(d.q + (u64)(first + q0) * d.q_stride + column, d.q_stride, queries, 0, TILE, asked - q0,
                           threadIdx.x, ATTENTION_THREADS);
        }
        // Rows past the end are 0 in every tile, so they add nothing and what they get is not stored; a first token that is
        // no key gets 0.
        if (k0 == 0 && !leads && m0 + g == 0)
            for (int n = 0; n < HEAD_TILES; ++n) dk[n][0] = dk[n][1] = dv[n][0] = dv[n][1] = 0;
        to_tile(keys, m0, dk, scale, scale);
        to_tile(values, m0, dv, 1.f, 1.f);
        __syncwarp();
        int lane = threadIdx.x % WARP;
        store_tile(d.k + (u64)(first + k0) * d.k_stride + column, d.k_stride, keys, m0, 16, some, lane, WARP);
        store_tile(d.v + (u64)(first + k0) * d.v_stride + column, d.v_stride, values, m0, 16, some, lane, WARP);
    }
    // Tokens that asked nothing.
    real* rest = d.q + (u64)(first + asked) * d.q_stride + column;
#if HEAD % 8 == 0
    const float zeros[8] = {};
    for (int i = threadIdx.x; i < (len - asked) * (HEAD / 8); i += ATTENTION_THREADS)
        store8(rest + (u64)(i / (HEAD / 8)) * d.q_stride + i % (HEAD / 8) * 8, zeros);
#else
    for (int i = threadIdx.x; i < (len - asked) * HEAD; i += ATTENTION_THREADS)
        rest[(u64)(i / HEAD) * d.q_stride + i % HEAD] = narrow(0.f);
#endif
}
