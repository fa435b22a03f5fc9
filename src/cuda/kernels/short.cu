// The attention kernels once more for rows of at most 64 tokens: half the threads and half the shared memory a block.
#define TILE 64
#define ATTENTION(name) name##_short
