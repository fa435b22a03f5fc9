// Tiles of the attention kernels in shared memory: TILE queries or keys of one head, 16 for each warp.

#ifndef TILE
#define TILE 128
#define ATTENTION(name) name
#endif

#define HEAD_PADDED ((HEAD + 15) / 16 * 16)
#define HEAD_TILES (HEAD_PADDED / 8)
#define ATTENTION_THREADS (2 * TILE)

// Queries whose score gradients stand in shared memory at a time: with two stages a block has the room for all of a tile.
#if STAGES == 2
#define SLOPE_QUERIES TILE
#else
#define SLOPE_QUERIES 32
#endif

// Values between two rows: no two of eight rows share a bank.
#define ROW (HEAD_PADDED + 16 / (int)sizeof(real))
#define SLOPE_ROW (SLOPE_QUERIES + 16 / (int)sizeof(real))

#if PRECISION == 2
// A from rows m0.. of a tile [m][k].
__device__ inline Left left_from(const real* tile, int m0, int k0) {
    int lane = threadIdx.x % WARP;
    u32 at = shared_address(tile + (m0 + lane % 16) * ROW + k0 + lane / 16 * 8);
    Left a;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a.p[0]), "=r"(a.p[1]), "=r"(a.p[2]), "=r"(a.p[3])
                 : "r"(at)
                 : "memory");
    return a;
}

// A from columns m0.. of a tile [k][m] whose rows are SLOPE_ROW values apart.
__device__ inline Left left_turned(const real* tile, int m0, int k0) {
    int lane = threadIdx.x % WARP;
    u32 at = shared_address(tile + (k0 + lane % 8 + lane / 16 * 8) * SLOPE_ROW + m0 + lane / 8 % 2 * 8);
    Left a;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a.p[0]), "=r"(a.p[1]), "=r"(a.p[2]), "=r"(a.p[3])
                 : "r"(at)
                 : "memory");
    return a;
}

// B for two neighbouring column tiles from a tile [n][k].
__device__ inline void right_by_column(const real* tile, int n0, int k0, Right b[2]) {
    int lane = threadIdx.x % WARP;
    u32 at = shared_address(tile + (n0 + lane / 16 * 8 + lane % 8) * ROW + k0 + lane / 8 % 2 * 8);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(b[0].p[0]), "=r"(b[0].p[1]), "=r"(b[1].p[0]), "=r"(b[1].p[1])
                 : "r"(at)
                 : "memory");
}

// Step `step` of A made of C tiles: what one product gave is the left side of the next.
__device__ inline Left left_of(const float c[][4], int step) {
    const float* x = c[2 * step];
    const float* y = c[2 * step + 1];
    return Left{{pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3]), pack_bf16(y[0], y[1]), pack_bf16(y[2], y[3])}};
}
#else
__device__ inline Left left_from(const real* tile, int m0, int k0) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const real* at = tile + (m0 + g) * ROW + k0 + t;
    return Left{{at[0], at[8 * ROW], at[4], at[8 * ROW + 4]}};
}

// Its k in the order of right_by_row.
__device__ inline Left left_turned(const real* tile, int m0, int k0) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const real* at = tile + (k0 + 2 * t) * SLOPE_ROW + m0 + g;
    return Left{{at[0], at[8], at[SLOPE_ROW], at[SLOPE_ROW + 8]}};
}

__device__ inline void right_by_column(const real* tile, int n0, int k0, Right b[2]) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 2; ++i) {
        const real* at = tile + (n0 + 8 * i + g) * ROW + k0 + t;
        b[i] = Right{{at[0], at[4]}};
    }
}

__device__ inline Left left_of(const float c[][4], int step) {
    const float* x = c[step];
    return Left{{x[0], x[2], x[1], x[3]}};
}
#endif

// The left side of a product over a head: rows m0.. of a tile [m][HEAD], read when they are needed.
struct LeftInTile {
    const real* tile;
    int m0;

    __device__ Left step(int k) const { return left_from(tile, m0, k * K_STEP); }
};

// The same for several products, read once.
struct LeftInRegisters {
    Left steps[HEAD_PADDED / K_STEP];

    __device__ LeftInRegisters(const LeftInTile& from) {
#pragma unroll
        for (int k = 0; k < HEAD_PADDED / K_STEP; ++k) steps[k] = from.step(k);
    }
    __device__ Left step(int k) const { return steps[k]; }
};

// C [16, 8 N] = `left` times 8 N rows of `right` [n][HEAD].
template <int N, class LeftRows>
__device__ inline void product_by_column(float (&c)[N][4], const LeftRows& left, const real* right) {
#pragma unroll
    for (int n = 0; n < N; ++n)
        for (int i = 0; i < 4; ++i) c[n][i] = 0;
#pragma unroll
    for (int k = 0; k < HEAD_PADDED / K_STEP; ++k) {
        Left a = left.step(k);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            Right b[2];
            right_by_column(right, n * 8, k * K_STEP, b);
            mma(c[n], a, b[0]);
            mma(c[n + 1], a, b[1]);
        }
    }
}

// out [16, HEAD] += c [16, 8 N] times 8 N rows of `right` [n][HEAD].
template <int N>
__device__ inline void product_by_row(float (&out)[HEAD_TILES][4], const float (&c)[N][4], const real* right) {
#pragma unroll
    for (int k = 0; k < 8 * N / K_STEP; ++k) {
        Left a = left_of(c, k);
#pragma unroll
        for (int n = 0; n < HEAD_TILES; n += 2) {
            Right b[2];
            right_by_row(right, ROW, k * K_STEP, n * 8, b);
            mma(out[n], a, b[0]);
            mma(out[n + 1], a, b[1]);
        }
    }
}

// Asks for rows 0 to `count` of a matrix of HEAD columns in a tile; rows past them and columns past HEAD become 0. They are
// there after wait_for_copies and a barrier.
__device__ inline void load_tile(real* tile, const real* from, int stride, int count) {
#if HEAD % 8 == 0
    const int pieces = HEAD_PADDED * sizeof(real) / 16, each = 16 / sizeof(real);
    if constexpr (ATTENTION_THREADS % pieces == 0) {
        // Each thread has one column, so little is worked out for each piece.
        const int step = ATTENTION_THREADS / pieces;
        int row = threadIdx.x / pieces, column = threadIdx.x % pieces * each;
        from += (u64)row * stride + column, tile += row * ROW + column;
#pragma unroll
        for (int i = 0; i < TILE; i += step, from += (u64)step * stride)
            copy16(tile + i * ROW, from, row + i < count && column < HEAD);
    } else {
        for (int i = threadIdx.x; i < TILE * pieces; i += ATTENTION_THREADS) {
            int row = i / pieces, column = i % pieces * each;
            bool there = row < count && column < HEAD;
            const real* at = there ? from + (u64)row * stride + column : from;
            copy16(tile + row * ROW + column, at, there);
        }
    }
#else
    for (int i = threadIdx.x; i < TILE * HEAD_PADDED; i += ATTENTION_THREADS) {
        int row = i / HEAD_PADDED, column = i % HEAD_PADDED;
        tile[row * ROW + column] = row < count && column < HEAD ? from[(u64)row * stride + column] : (real)0;
    }
#endif
}

__device__ inline void store2(real* to, float low, float high) {
#if PRECISION == 2
    *(u32*)to = pack_bf16(low, high);
#else
    *(float2*)to = make_float2(low, high);
#endif
}

// For what products in TF32 read.
__device__ inline void store2_operand(real* to, float low, float high) { store2(to, operand(low), operand(high)); }

// Rows m0 + g and m0 + g + 8 of this warp's C to a tile, for products in TF32 or as they are.
template <bool OPERAND>
__device__ inline void to_tile(real* tile, int m0, const float (&c)[HEAD_TILES][4], float low, float high) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < HEAD_TILES; ++n) {
        real* at = tile + (m0 + g) * ROW + n * 8 + 2 * t;
        for (int half = 0; half < 2; ++half) {
            float by = half ? high : low, x = c[n][2 * half] * by, y = c[n][2 * half + 1] * by;
            OPERAND ? store2_operand(at + 8 * half * ROW, x, y) : store2(at + 8 * half * ROW, x, y);
        }
    }
}

// ROWS rows of a tile from m0 on, those under `count`, to a matrix of HEAD columns, by THREADS threads of which this is number
// `own`: whole pieces of 16 bytes, as the accumulators alone would not be.
template <int ROWS, int THREADS>
__device__ inline void store_tile(real* to, int stride, const real* tile, int m0, int count, int own) {
#if HEAD % 8 == 0
    const int pieces = HEAD * sizeof(real) / 16, each = 16 / sizeof(real);
    if constexpr (THREADS % pieces == 0 && THREADS / pieces <= ROWS) {
        // Several are read before the first is stored.
        const int step = THREADS / pieces, several = ROWS / step < 4 ? ROWS / step : 4;
        int row = m0 + own / pieces, column = own % pieces * each;
        to += (u64)row * stride + column, tile += row * ROW + column;
        for (int i = 0; i < ROWS; i += several * step) {
            uint4 read[several];
#pragma unroll
            for (int j = 0; j < several; ++j) read[j] = *(const uint4*)(tile + (i + j * step) * ROW);
#pragma unroll
            for (int j = 0; j < several; ++j)
                if (row + i + j * step < count) *(uint4*)(to + (u64)(i + j * step) * stride) = read[j];
        }
    } else {
        for (int i = own; i < ROWS * pieces; i += THREADS) {
            int row = m0 + i / pieces, column = i % pieces * each;
            if (row < count) *(uint4*)(to + (u64)row * stride + column) = *(const uint4*)(tile + row * ROW + column);
        }
    }
#else
    for (int i = own; i < ROWS * HEAD; i += THREADS) {
        int row = m0 + i / HEAD, column = i % HEAD;
        if (row < count) to[(u64)row * stride + column] = tile[row * ROW + column];
    }
#endif
}

// The same by one warp, to where tf32's next product reads it: rows of 3 HIDDEN values.
template <int ROWS>
__device__ inline void store_split(u16* to, const real* tile, int m0, int count, int lane) {
#if PRECISION == 1
#if HEAD % 8 == 0
    for (int i = lane; i < ROWS * HEAD / 8; i += WARP) {
        int row = m0 + i / (HEAD / 8), column = i % (HEAD / 8) * 8;
        float v[8];
        load8(tile + row * ROW + column, v);
        if (row < count) store8_split(to + (u64)row * 3 * HIDDEN + column, HIDDEN, v);
    }
#else
    for (int i = lane; i < ROWS * HEAD; i += WARP) {
        int row = m0 + i / HEAD, column = i % HEAD;
        if (row >= count) continue;
        float v = tile[row * ROW + column];
        u16 high = narrow_bf16(v);
        u16* at = to + (u64)row * 3 * HIDDEN + column;
        at[0] = narrow_bf16(v - widen(high)), at[HIDDEN] = at[2 * HIDDEN] = high;
    }
#endif
#endif
}

// 2^x, relative error under 2^-22.
__device__ inline float power_of_two(float x) {
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
}

#define LOG2_E 1.4426950408889634f

// Where the rows of the batch lie, and which of their scores count.
struct Rows {
    const int* first;   // [rows + 1] first token of each row, then the end
    const int* columns; // [tokens] column in the padded batch: scores are numbered there
    const u8* leads;    // [rows] the first token takes part as a key
    int only_first;     // one query a row: its first token
    int most;           // longest row, rounded up to 64: the stride of `flags`
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
    int from = rows.columns[first + k0];
    u32 bits = 0;
    if (rows.columns[first + k0 + count - 1] - from == count - 1) {
        u64 element = base + from;
        int skip = element % 4;
        u32 block = (u32)(element / 4);
        for (int i = 0; 4 * i < count + skip; ++i) {
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
