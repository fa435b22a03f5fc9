// softmax(scale Q K^T) with dropout, times V, for each row and head, without the scores in memory (Dao 2023). A block takes
// TILE queries, 16 a warp, and walks over the keys in tiles of as many.

#define KEYS 32 // whose scores a warp holds at a time: one word of kept flags

// `scale` is that of the scores times log2 e, and log sums are of base 2.
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, (PRECISION != 2 ? 256 : HEAD <= 64 ? 768 : 512) / ATTENTION_THREADS)
    ATTENTION(attention_forward)(const Step* step, Rows rows, Matrices in, float scale, Site site, real* context, u16* split,
                      float* logs, u32* flags, int capacity) {
    await_previous();
    extern __shared__ __align__(16) u8 memory[];
    real* queries = (real*)memory;
    real* keys = queries + TILE * ROW;
    real* values = keys + TILE * ROW;
    __shared__ u32 kept[TILE][TILE / 32];
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
        // The masks are drawn while the tiles are on their way.
        if (site.threshold)
            for (int i = threadIdx.x; i < TILE * TILE / 32; i += ATTENTION_THREADS) {
                int q = i / (TILE / 32), word = i % (TILE / 32);
                if (q0 + q >= asked || k0 + 32 * word >= len) continue;
                u32 bits = kept_keys(site, step, rows, row, head, first, len, q0 + q, k0 + 32 * word);
                if (flags) flags[flag_place(rows, row, head, q0 + q) + k0 / 32 + word] = bits;
                kept[q][word] = bits;
            }
        wait_for_copies();
        __syncthreads();
        if (q0 + warp * 16 >= asked) continue;
        for (int k1 = 0; k1 < TILE && k0 + k1 < len; k1 += KEYS) {
            float s[KEYS / 8][4];
            product_by_column(s, LeftInTile{queries, warp * 16}, keys + k1 * ROW);
// Only at a row's ends are there keys that do not count.
            if (k0 + k1 + KEYS > len || (k0 + k1 == 0 && !rows.leads[row]))
#pragma unroll
                for (int n = 0; n < KEYS / 8; ++n)
                    for (int i = 0; i < 4; ++i) {
                        int key = k0 + k1 + n * 8 + 2 * t + i % 2;
                        if (key >= len || (key == 0 && !rows.leads[row])) s[n][i] = -1e30f;
                    }
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float high = top[half];
#pragma unroll
                for (int n = 0; n < KEYS / 8; ++n) high = fmaxf(high, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
                high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 1));
                high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 2));
                float shrink = power_of_two((top[half] - high) * scale), lowered = high * scale;
                top[half] = high;
                sum[half] *= shrink;
#pragma unroll
                for (int n = 0; n < HEAD_TILES; ++n) out[n][2 * half] *= shrink, out[n][2 * half + 1] *= shrink;
                u32 word = ~0u;
                if (site.threshold) word = kept[warp * 16 + g + 8 * half][k1 / KEYS] >> 2 * t;
#pragma unroll
                for (int n = 0; n < KEYS / 8; ++n)
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        float& v = s[n][2 * half + i];
                        v = power_of_two(v * scale - lowered);
                        sum[half] += v;
                        v = word >> (n * 8 + i) & 1 ? v : 0.f;
                    }
            }
            product_by_row(out, s, values + k1 * ROW);
        }
    }
    if (q0 + warp * 16 >= asked) return;
    float total[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float v = sum[half];
        v += __shfl_xor_sync(0xffffffffu, v, 1);
        v += __shfl_xor_sync(0xffffffffu, v, 2);
        total[half] = v;
        int q = q0 + warp * 16 + g + 8 * half;
        if (logs && t == 0 && q < asked) logs[(u64)head * capacity + first + q] = top[half] * scale + log2f(v);
    }
    // This warp's queries are no longer needed; their place holds its context.
    float kept_scale = site.threshold ? site.scale : 1.f;
    to_tile<false>(queries, warp * 16, out, kept_scale / total[0], kept_scale / total[1]);
    __syncwarp();
    u64 to = rows.only_first ? row : first + q0;
    store_tile<16, WARP>(context + to * HIDDEN + column, HIDDEN, queries, warp * 16, asked - q0, threadIdx.x % WARP);
#if PRECISION == 1
    store_split<16>(split + to * 3 * HIDDEN + column, queries, warp * 16, asked - q0, threadIdx.x % WARP);
#endif
}
