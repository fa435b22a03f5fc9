// Matrix products of one warp on the tensor cores: C [16, 8] += A [16, K_STEP] B [K_STEP, 8].
// bf16: m16n8k16. tf32: m16n8k8. f32: three tf32 products of the values' high and low halves, error near 1e-6.
// Lane l = 4 g + t holds C[g][2t], C[g][2t+1], C[g+8][2t], C[g+8][2t+1].

#if PRECISION == 2
#define K_STEP 16
typedef u32 piece;
#else
#define K_STEP 8
typedef float piece;
#endif

// A: rows g and g+8 in turn. B: column g.
struct Left {
    piece p[4];
};
struct Right {
    piece p[2];
};

__device__ inline u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

#if PRECISION == 2
__device__ inline void mma(float c[4], const Left& a, const Right& b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a.p[0]), "r"(a.p[1]), "r"(a.p[2]), "r"(a.p[3]), "r"(b.p[0]), "r"(b.p[1]));
}

// Where the operands were not rounded to what a product takes: the same in bf16, which is stored rounded.
__device__ inline void mma_exact(float c[4], const Left& a, const Right& b) { mma(c, a, b); }
#else
__device__ inline u32 tf32(float v) {
    u32 r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
    return r;
}

__device__ inline void mma_tf32(float c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Where the operands were not rounded to what a product takes: three products.
__device__ inline void mma_exact(float c[4], const Left& a, const Right& b) {
    u32 ah[4], bh[2], al[4], bl[2];
    for (int i = 0; i < 4; ++i) ah[i] = tf32(a.p[i]), al[i] = tf32(a.p[i] - bits_to_float(ah[i]));
    for (int i = 0; i < 2; ++i) bh[i] = tf32(b.p[i]), bl[i] = tf32(b.p[i] - bits_to_float(bh[i]));
    mma_tf32(c, al, bh);
    mma_tf32(c, ah, bl);
    mma_tf32(c, ah, bh);
}

__device__ inline void mma(float c[4], const Left& a, const Right& b) {
#if PRECISION == 0
    mma_exact(c, a, b);
#else
    u32 ah[4], bh[2];
    for (int i = 0; i < 4; ++i) ah[i] = tf32(a.p[i]);
    for (int i = 0; i < 2; ++i) bh[i] = tf32(b.p[i]);
    mma_tf32(c, ah, bh);
#endif
}
#endif

// B for two neighbouring column tiles from rows k0.. of a tile [k][n] whose rows are `stride` values apart. Of f32 the k are
// taken in the order in which a lane holds them in C: 2t, then 2t + 1.
__device__ inline void right_by_row(const real* tile, int stride, int k0, int n0, Right b[2]) {
    int lane = threadIdx.x % WARP;
#if PRECISION == 2
    u32 at = shared_address(tile + (k0 + lane % 16) * stride + n0 + lane / 16 * 8);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(b[0].p[0]), "=r"(b[0].p[1]), "=r"(b[1].p[0]), "=r"(b[1].p[1])
                 : "r"(at)
                 : "memory");
#else
    int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 2; ++i) {
        const real* at = tile + (k0 + 2 * t) * stride + n0 + 8 * i + g;
        b[i] = Right{{at[0], at[stride]}};
    }
#endif
}

// Asks for 16 bytes, or zeros; they are there after wait_for_copies and a barrier.
__device__ inline void copy16(real* to, const real* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0)
                 : "memory");
}

// The same for 4 bytes.
__device__ inline void copy4(void* to, const void* from, bool there) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(there ? 4 : 0)
                 : "memory");
}

__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }
