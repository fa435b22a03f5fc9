// What every kernel builds on: the storage type, vectors of eight, sums over a warp, and Philox. No headers are needed.
//
// Compiled in: PRECISION (0 f32, 1 tf32, 2 bf16), HIDDEN (n), EMBEDDING (see width.cu), HEADS, HEAD (n / HEADS), WIDE
// (feed-forward), RANK, OUTPUTS, ACTIVATION (see head.cu), STAGES (of the attention's way back, see stage.cu).
// Tokens lie behind one another without pads; `real` is what activations and frozen weights are stored in, all sums are f32.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#if PRECISION == 2
typedef u16 real;
#else
typedef float real;
#endif

#define WARP 32
// Eight values at a time: chunk c of lane l holds columns (c * 32 + l) * 8 to + 7.
#define CHUNKS ((HIDDEN + 255) / 256)
#define EACH_CHUNK(c, column)                                                                                          \
    _Pragma("unroll") for (int c = 0, column = (threadIdx.x % WARP) * 8; c < CHUNKS; ++c, column += 256)               \
        if (column < HIDDEN)

// What one step brings to the device.
struct Step {
    u64 step;        // of the dropout masks
    float step_size; // lr / (1 - beta1^t)
    float root;      // sqrt(1 - beta2^t)
    float shrink;    // 1 - lr * weight decay
    int rows;        // in the batch
    int tokens;      // in all rows
    int width;       // of the padded batch: masks are numbered in it
};

// First in every kernel: its blocks may be there before the kernel that was asked for before it has ended (programmatic
// dependent launch), and nothing may be read or written until then. The next kernel's blocks may come as soon as all of these
// are there; they wait in the same way.
__device__ inline void await_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait; griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ inline float bits_to_float(u32 b) { return __uint_as_float(b); }
__device__ inline float widen(u16 v) { return bits_to_float((u32)v << 16); }
__device__ inline float widen(float v) { return v; }

// Two f32 as bf16, rounded to nearest even; `low` in the low half.
__device__ inline u32 pack_bf16(float low, float high) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

__device__ inline u16 narrow_bf16(float v) { return (u16)pack_bf16(v, 0.f); }

__device__ inline real narrow(float v) {
#if PRECISION == 2
    return narrow_bf16(v);
#else
    return v;
#endif
}

__device__ inline void load8(const real* p, float v[8]) {
#if PRECISION == 2
    uint4 w = *(const uint4*)p;
    u32 x[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        v[2 * i] = bits_to_float(x[i] << 16);
        v[2 * i + 1] = bits_to_float(x[i] & 0xffff0000u);
    }
#else
    float4 a = *(const float4*)p, b = *(const float4*)(p + 4);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
#endif
}

// Eight stored values as they are: half the registers of eight f32 in bf16.
struct Raw {
    uint4 w[sizeof(real) / 2];
};

__device__ inline Raw load_raw(const real* p) {
    Raw r;
#pragma unroll
    for (int i = 0; i < sizeof(real) / 2; ++i) r.w[i] = ((const uint4*)p)[i];
    return r;
}

__device__ inline void store8(real* p, const float v[8]) {
#if PRECISION == 2
    *(uint4*)p = make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]));
#else
    *(float4*)p = make_float4(v[0], v[1], v[2], v[3]);
    *(float4*)(p + 4) = make_float4(v[4], v[5], v[6], v[7]);
#endif
}

// tf32's products on the way there: x W = x_low W_high + x_high W_low + x_high W_high as one bf16 product three times as deep,
// with v = high + low of 8 bits each. It takes the time of one TF32 product; what is left out is near 2^-17 of each term, where
// TF32 would lose 2^-12. Writes eight values of x where such a product reads them: low, high, high, `apart` values apart.
__device__ inline void store8_split(u16* to, int apart, const float v[8]) {
    u32 low[4], high[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        high[i] = pack_bf16(v[2 * i], v[2 * i + 1]);
        low[i] = pack_bf16(v[2 * i] - bits_to_float(high[i] << 16), v[2 * i + 1] - bits_to_float(high[i] & 0xffff0000u));
    }
    *(uint4*)to = make_uint4(low[0], low[1], low[2], low[3]);
#pragma unroll
    for (int copy = 1; copy < 3; ++copy) *(uint4*)(to + copy * apart) = make_uint4(high[0], high[1], high[2], high[3]);
}

// v as a product takes it: TF32 keeps 11 bits, and what it cuts off would all be of one sign.
__device__ inline float operand(float v) {
#if PRECISION == 1
    u32 r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
    return bits_to_float(r);
#else
    return v;
#endif
}

// For what products in TF32 read: those on the way back.
__device__ inline void store8_operand(real* p, float v[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = operand(v[i]);
    store8(p, v);
}

__device__ inline void load8f(const float* p, float v[8]) {
    float4 a = *(const float4*)p, b = *(const float4*)(p + 4);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

__device__ inline float warp_sum(float v) {
#pragma unroll
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

// Sum over a block of whole warps, the same order every time; `room` holds one float a warp.
__device__ inline float block_sum(float v, float* room) {
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % WARP == 0) room[threadIdx.x / WARP] = v;
    __syncthreads();
    float all = 0;
    for (int i = 0; i < blockDim.x / WARP; ++i) all += room[i];
    return all;
}

// Philox4x32-10 (Salmon et al. 2011) of the counter (block, site, step) under the seed: the words of elements 4 block to
// 4 block + 3, the same on every engine.
struct Words {
    u32 w[4];
};

__device__ inline Words philox(u32 block, u32 site, u64 step, u64 seed) {
    u32 c0 = block, c1 = site, c2 = (u32)step, c3 = (u32)(step >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
    for (int i = 0; i < 10; ++i) {
        u32 ah = __umulhi(0xD2511F53u, c0), al = 0xD2511F53u * c0;
        u32 bh = __umulhi(0xCD9E8D57u, c2), bl = 0xCD9E8D57u * c2;
        c0 = bh ^ c1 ^ k0, c1 = bl, c2 = ah ^ c3 ^ k1, c3 = al;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// One place with dropout: an element is kept where its word is at least `threshold`; 0 keeps all.
struct Site {
    u64 seed;
    u32 number;
    u32 threshold;
    float scale; // 1 / (1 - p)
};

// Kept flags of the eight elements from `element` on (a multiple of 4), lowest bit first.
__device__ inline u32 kept8(const Site& site, u64 step, u64 element) {
    u32 bits = 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        Words r = philox((u32)(element / 4) + half, site.number, step, site.seed);
#pragma unroll
        for (int i = 0; i < 4; ++i) bits |= (u32)(r.w[i] >= site.threshold) << (4 * half + i);
    }
    return bits;
}

__device__ inline void drop8(float v[8], u32 bits, float scale) {
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = bits >> i & 1 ? v[i] * scale : 0.f;
}
