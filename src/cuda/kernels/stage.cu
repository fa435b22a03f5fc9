// What a block of the way back of the attention works on in turn, and how it comes into shared memory. An item is one row and
// head, a stage of it the queries of one tile and the keys of one tile; all queries pass by one tile of keys before the next.
//
// STAGES 1: a block has one item and waits for each stage's loads. STAGES 2: a multiprocessor has one block, which walks over
// the items, and the next stage is loaded into buffers of its own while this one is worked on.

// What the queries of one tile bring.
struct Queries {
    real rows[TILE * ROW];
    real slopes[TILE * ROW]; // of the context
#if STAGES == 2
    real context[TILE * ROW];
#endif
    float dots[TILE]; // sum over the head of slopes times context
    float logs[TILE];
    u32 kept[TILE / 32][TILE]; // flags of 32 keys each, all set where nothing is dropped
};

struct Keys {
    real rows[TILE * ROW];
    real values[TILE * ROW];
};

// All of a block's shared memory.
struct Room {
    Queries queries[STAGES];
    Keys keys[STAGES];
    real score_slopes[STAGES == 2 ? 1 : 2][TILE * SLOPE_ROW]; // dS, [key][query]
};

// What the tiles are loaded from.
struct Given {
    Rows rows;
    Matrices in;
    const real* context;
    const real* dcontext;
    const float* logs;
    const u32* flags;
    int capacity;
    bool drops; // with flags
};

// A row and head, as read: nothing is worked out of it before it is needed, so that nothing waits for the reads.
struct Item {
    int number; // row * HEADS + head
    int first, end;
    u8 leads;

    __device__ int row() const { return number / HEADS; }
    __device__ int head() const { return number % HEADS; }
    __device__ int len() const { return end - first; }
    __device__ u64 column() const { return number % HEADS * HEAD; }
};

__device__ inline Item item_of(const Rows& rows, int number, int items) {
    if (number >= items) return Item{items, 0, 0, 0};
    int row = number / HEADS;
    return Item{number, rows.first[row], rows.first[row + 1], rows.leads[row]};
}

struct Stage {
    Item item;
    int asked; // queries of the row
    int q0, k0;

    __device__ bool first_queries() const { return q0 == 0; }
    __device__ bool last_queries() const { return q0 + TILE >= asked; }
    __device__ bool last_keys() const { return k0 + TILE >= item.len(); }
    // Keys of this tile.
    __device__ int keys() const { return min(TILE, item.len() - k0); }
    // The tile's first key takes no part.
    __device__ bool skips_first() const { return k0 == 0 && !item.leads; }
};

__device__ inline Stage first_stage(const Item& item, const Rows& rows) {
    return Stage{item, rows.only_first ? min(1, item.len()) : item.len(), 0, 0};
}

// To the next stage of the same item, if there is one.
__device__ inline bool step(Stage& s) {
    s.q0 += TILE;
    if (s.q0 < s.asked) return true;
    s.q0 = 0, s.k0 += TILE;
    return s.k0 < s.item.len();
}

// Token of a row's queries from q0 on in the context, which holds those alone.
__device__ inline u64 context_place(const Rows& rows, const Stage& s) {
    return (u64)(rows.only_first ? s.item.row() : s.item.first + s.q0) * HIDDEN + s.item.column();
}

// Asks for what the queries of a stage bring, but the dots.
__device__ inline void load_queries(Queries& to, const Given& given, const Stage& s) {
    int count = s.asked - s.q0, first = s.item.first + s.q0;
    u64 place = context_place(given.rows, s);
    load_tile(to.rows, given.in.q + (u64)first * given.in.q_stride + s.item.column(), given.in.q_stride, count);
    load_tile(to.slopes, given.dcontext + place, HIDDEN, count);
#if STAGES == 2
    load_tile(to.context, given.context + place, HIDDEN, count);
#endif
    // Two threads a query.
    int q = threadIdx.x / 2, half = threadIdx.x % 2;
    bool there = q < count;
    const float* log = given.logs + (u64)s.item.head() * given.capacity + first;
    if (half == 0) copy4(to.logs + q, there ? log + q : log, there);
    const u32* flags = given.flags + flag_place(given.rows, s.item.row(), s.item.head(), s.q0 + q) + s.k0 / 32;
#pragma unroll
    for (int word = half * (TILE / 64); word < (half + 1) * (TILE / 64); ++word)
        if (!given.drops) to.kept[word][q] = ~0u;
        else if (there && s.k0 + 32 * word < s.item.len()) copy4(&to.kept[word][q], flags + word, true);
}

__device__ inline void load_keys(Keys& to, const Given& given, const Stage& s) {
    u64 first = s.item.first + s.k0, column = s.item.column();
    load_tile(to.rows, given.in.k + first * given.in.k_stride + column, given.in.k_stride, s.keys());
    load_tile(to.values, given.in.v + first * given.in.v_stride + column, given.in.v_stride, s.keys());
}

// The tiles are there; a barrier must follow.
__device__ inline void add_dots(Queries& of, const Given& given, const Stage& s) {
    int q = threadIdx.x / 2, half = threadIdx.x % 2;
    float dot = 0;
#if STAGES == 2
    const real* o = of.context + q * ROW;
#else
    const real* o = given.context + context_place(given.rows, s) + (u64)q * HIDDEN;
    if (s.q0 + q < s.asked)
#endif
    {
        const real* d = of.slopes + q * ROW;
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
    }
    dot += __shfl_xor_sync(0xffffffffu, dot, 1);
    if (half == 0) of.dots[q] = dot;
}
