// What the adapter kernels know of the matrices of a projection.

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
