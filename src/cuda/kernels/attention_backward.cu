// The way back of attention.cu: dV = P'^T dO, dS = P (dP' - sum(dO O)), dK = scale dS^T Q, dQ = scale dS K, with the probabilities
// P computed again from the kept log sums and P' = dropout(P). One block does a whole row and head, so every sum has one
// order: a warp has 16 keys and all queries for dK and dV; for dQ the block's dS stands in shared memory, SLOPE_QUERIES at a
// time, and each warp has 16 queries and all keys. What a block works on in turn is in stage.cu.

#define TURN 32 // queries whose scores a warp holds at a time
#define BACKWARD_BLOCKS (STAGES == 2 ? 1 : (PRECISION == 2 && HEAD <= 64 ? 512 : 256) / ATTENTION_THREADS)

// For dQ the warps share out the queries in shared memory, 16 each, and their columns; each holds so many tiles of C at a time.
#define QUERY_PARTS (SLOPE_QUERIES / 16)
#define COLUMN_PARTS (ATTENTION_THREADS / WARP / QUERY_PARTS)
#define DQ_TILES (STAGES == 2 ? HEAD_TILES : 2)

#if STAGES == 2
typedef LeftInRegisters KeyRows;
#else
typedef LeftInTile KeyRows;
#endif

// Scores of one warp's 16 keys, those from m0 on, and the queries from q1 on, and what their gradients add to dK and dV. dS
// goes to `ds`.
__device__ inline void add_turn(float (&dk)[HEAD_TILES][4], float (&dv)[HEAD_TILES][4], real* ds, const Queries& of,
                                const KeyRows& keys, const KeyRows& values, int m0, int q1, float scale, float kept_scale) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    float p[TURN / 8][4], dp[TURN / 8][4];
    product_by_column(p, keys, of.rows + q1 * ROW);
    product_by_column(dp, values, of.slopes + q1 * ROW);
#pragma unroll
    for (int n = 0; n < TURN / 8; ++n) {
        // Of two queries.
        int q = q1 + n * 8 + 2 * t;
        float2 dots = *(const float2*)(of.dots + q), logs = *(const float2*)(of.logs + q);
        uint2 kept = *(const uint2*)(of.kept[m0 / 32] + q);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            float dot = i ? dots.y : dots.x, log = i ? logs.y : logs.x;
            u32 word = (i ? kept.y : kept.x) >> (m0 % 32 + g);
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
    }
    product_by_row(dv, p, of.slopes + q1 * ROW);
#pragma unroll
    for (int n = 0; n < TURN / 8; ++n)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            store2_operand(ds + (m0 + g + 8 * half) * SLOPE_ROW + n * 8 + 2 * t, dp[n][2 * half], dp[n][2 * half + 1]);
    product_by_row(dk, dp, of.rows + q1 * ROW);
}

// dq [16, 8 N] = columns m0.. of dS times columns n0.. of the first `count` keys.
template <int N>
__device__ inline void query_slopes(float (&dq)[N][4], const real* ds, int m0, const real* keys, int n0, int count) {
#if STAGES == 2
#pragma unroll 4
#endif
    for (int k = 0; k < count; k += K_STEP) {
        Left a = left_turned(ds, m0, k);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            Right b[2];
            right_by_row(keys, ROW, k, n0 + n * 8, b);
            mma(dq[n], a, b[0]);
            mma(dq[n + 1], a, b[1]);
        }
    }
}

// Scales dQ of the queries from q on, columns from n0 on; of a row of several tiles of keys it is summed up in `sums`.
template <int N>
__device__ inline void sum_up(float (&dq)[N][4], const Stage& s, int q, int n0, float scale, float* sums) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4, column = n0 + 2 * t;
#pragma unroll
    for (int i = 0; i < 4 * N; ++i) dq[i / 4][i % 4] *= scale;
    if (s.item.len() <= TILE) return;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        int query = s.q0 + q + g + 8 * half;
        if (query >= s.asked) continue;
        float* sum = sums + (u64)(s.item.first + query) * HIDDEN + s.item.column() + column;
        // All are read before the first is written, so that they come together.
        if (s.k0 > 0)
#pragma unroll
            for (int i = 0; i < 2 * N; ++i) {
                int at = i / 2 * 8 + i % 2;
                if (HEAD == HEAD_PADDED || column + at < HEAD) dq[i / 2][2 * half + i % 2] += sum[at];
            }
        if (!s.last_keys())
#pragma unroll
            for (int i = 0; i < 2 * N; ++i) {
                int at = i / 2 * 8 + i % 2;
                if (HEAD == HEAD_PADDED || column + at < HEAD) sum[at] = dq[i / 2][2 * half + i % 2];
            }
    }
}

// dQ of the queries from q1 on, whose dS and those keys are there, in the place of the queries.
__device__ inline void finish_turns(Queries& of, const real* ds, const Keys& keys, const Stage& s, int q1, float scale,
                                    float* sums) {
    int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    int part = warp % QUERY_PARTS * 16, q = q1 + part;
    if (s.q0 + q >= s.asked) return;
    for (int tile = warp / QUERY_PARTS * DQ_TILES; tile < HEAD_TILES; tile += COLUMN_PARTS * DQ_TILES) {
        float dq[DQ_TILES][4] = {};
        query_slopes(dq, ds, part, keys.rows, tile * 8, s.keys());
        sum_up(dq, s, q, tile * 8, scale, sums);
        // Every warp is done with these queries; their place holds their gradient.
#pragma unroll
        for (int n = 0; n < DQ_TILES; ++n) {
            real* at = of.rows + (q + g) * ROW + (tile + n) * 8 + 2 * t;
            store2_operand(at, dq[n][0], dq[n][1]);
            store2_operand(at + 8 * ROW, dq[n][2], dq[n][3]);
        }
    }
}

__device__ inline void store_query_slopes(const Matrices& d, const Queries& of, const Stage& s) {
    real* to = d.q + (u64)(s.item.first + s.q0) * d.q_stride + s.item.column();
    int count = s.asked - s.q0;
#if STAGES == 2
    // Each warp has whole rows of dQ.
    __syncwarp();
    store_tile<16, WARP>(to, d.q_stride, of.rows, threadIdx.x / WARP * 16, count, threadIdx.x % WARP);
#else
    __syncthreads();
    store_tile<TILE, ATTENTION_THREADS>(to, d.q_stride, of.rows, 0, count, threadIdx.x);
#endif
}

// By way of this warp's part of two tiles that no other warp reads any more.
__device__ inline void store_key_slopes(const Matrices& d, float (&dk)[HEAD_TILES][4], float (&dv)[HEAD_TILES][4],
                                        real* dk_tile, real* dv_tile, const Stage& s, int m0, float scale) {
    int lane = threadIdx.x % WARP;
    // Rows past the end are 0 in every tile, so they add nothing and what they get is not stored; a first token that is no
    // key gets 0.
    if (s.skips_first() && m0 + lane / 4 == 0)
#pragma unroll
        for (int n = 0; n < HEAD_TILES; ++n) dk[n][0] = dk[n][1] = dv[n][0] = dv[n][1] = 0;
    to_tile<true>(dk_tile, m0, dk, scale, scale);
    to_tile<true>(dv_tile, m0, dv, 1.f, 1.f);
    __syncwarp();
    u64 first = s.item.first + s.k0, column = s.item.column();
    store_tile<16, WARP>(d.k + first * d.k_stride + column, d.k_stride, dk_tile, m0, s.keys(), lane);
    store_tile<16, WARP>(d.v + first * d.v_stride + column, d.v_stride, dv_tile, m0, s.keys(), lane);
}

// dQ of tokens that asked nothing.
__device__ inline void store_zeros(const Matrices& d, const Stage& s) {
    real* to = d.q + (u64)(s.item.first + s.asked) * d.q_stride + s.item.column();
    int rest = s.item.len() - s.asked;
#if HEAD % 8 == 0
    const float zeros[8] = {};
    for (int i = threadIdx.x; i < rest * (HEAD / 8); i += ATTENTION_THREADS)
        store8(to + (u64)(i / (HEAD / 8)) * d.q_stride + i % (HEAD / 8) * 8, zeros);
#else
    for (int i = threadIdx.x; i < rest * HEAD; i += ATTENTION_THREADS)
        to[(u64)(i / HEAD) * d.q_stride + i % HEAD] = narrow(0.f);
#endif
}

// `d` gets the gradients of q, k and v; `sums` [tokens, HIDDEN] f32 holds those of q between the key tiles of long rows.
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, BACKWARD_BLOCKS)
    ATTENTION(attention_backward)(Rows rows, Matrices in, float scale, Site site, const real* context, const real* dcontext,
                       const float* logs, const u32* flags, int capacity, Matrices d, float* sums, int items) {
    await_previous();
    extern __shared__ __align__(16) u8 memory[];
    Room& room = *(Room*)memory;
    Given given = {rows, in, context, dcontext, logs, flags, capacity, site.threshold != 0};
    float kept_scale = site.threshold ? site.scale : 1.f;
    int m0 = threadIdx.x / WARP * 16;
    float dk[HEAD_TILES][4], dv[HEAD_TILES][4];
    Stage now = first_stage(item_of(rows, blockIdx.x, items), rows);
    // Which of the buffers hold this stage's queries and keys.
    int at_queries = 0, at_keys = 0;
#if STAGES == 2
    Item ahead = item_of(rows, blockIdx.x + gridDim.x, items);
    load_queries(room.queries[0], given, now);
    load_keys(room.keys[0], given, now);
#endif
    while (true) {
        Queries& of = room.queries[at_queries];
        Keys& keys = room.keys[at_keys];
#if STAGES == 1
        __syncthreads();
        load_queries(of, given, now);
        if (now.first_queries()) load_keys(keys, given, now);
#endif
        wait_for_copies();
        __syncthreads();
#if STAGES == 2
        // This stage's tiles are there, and every warp is done with the one before it, whose buffers the next one takes.
        Stage next = now;
        if (!step(next)) {
            next = first_stage(ahead, rows);
            ahead = item_of(rows, next.item.number + gridDim.x, items);
        }
        at_queries ^= 1;
        if (next.first_queries()) at_keys ^= 1;
        if (next.item.number < items) {
            load_queries(room.queries[at_queries], given, next);
            if (next.first_queries()) load_keys(room.keys[at_keys], given, next);
        }
#endif
        if (now.first_queries()) {
#pragma unroll
            for (int i = 0; i < 4 * HEAD_TILES; ++i) dk[i / 4][i % 4] = dv[i / 4][i % 4] = 0;
            if (now.skips_first())
                for (int i = threadIdx.x; i < HEAD_PADDED; i += ATTENTION_THREADS) keys.rows[i] = keys.values[i] = narrow(0.f);
        }
        add_dots(of, given, now);
        __syncthreads();
        int some = now.keys();
        // A warp past the end reads zeros, or what is left there, for nothing.
        KeyRows key_rows = LeftInTile{keys.rows, m0}, value_rows = LeftInTile{keys.values, m0};
        for (int q1 = 0; q1 < TILE && now.q0 + q1 < now.asked; q1 += SLOPE_QUERIES) {
            // One barrier a turn: dS of the next one goes to the other half.
            real* ds = room.score_slopes[STAGES == 2 ? 0 : q1 / SLOPE_QUERIES % 2];
            if (m0 < some)
                for (int turn = 0; turn < SLOPE_QUERIES && now.q0 + q1 + turn < now.asked; turn += TURN)
                    add_turn(dk, dv, ds + turn, of, key_rows, value_rows, m0, q1 + turn, scale, kept_scale);
            __syncthreads();
            finish_turns(of, ds, keys, now, q1, scale, sums);
        }
        // The slopes of the context and the values are no longer needed either.
        if (now.last_queries()) store_key_slopes(d, dk, dv, of.slopes, keys.values, now, m0, scale);
        if (now.last_keys()) {
            store_query_slopes(d, of, now);
            if (now.last_queries()) store_zeros(d, now);
        }
#if STAGES == 2
        if (next.item.number >= items) break;
        now = next;
#else
        if (!step(now)) break;
#endif
    }
}
