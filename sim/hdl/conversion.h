// One conversion of a transposable macro, and how its charges come about. Mirrored by sim/kinds/tnsa/.
#pragma once
#include <cstdint>

constexpr int kMaxLines = 256;

extern "C" {

// An array as some inputs see it: its physical lines, or differential pairs of them. Matrices are (inputs, lines), of
// integers or exact multiples of a power of two, whose sums are exact in single precision in whatever order.
struct Seen {
    int64_t inputs;         // 0: there are no such inputs
    const float* matrix;
    const float* square;    // variances of the cells, null without read noise
    const float* cross;     // null: all 0
};

// What conversions in one direction, with some word lines on, by one step code, have in common: mho.macro_models.tnsa.sensing.
struct Bound {
    int64_t lines;
    Seen by_line, by_pair;
    const int64_t *offset, *s_pos, *s_neg;
    const double *inverse, *total;  // of read noise: total is null without
    const double* output_noise;     // null without
    const int16_t* normals;         // of each draw of 16 bits
    uint32_t read_key[2], output_key[2];
};

// One conversion as the evaluator sees it.
struct Conversion {
    uint64_t op_id;
    int32_t backward, step_code;
    int32_t lines;
    int32_t same_key;               // direction, word lines and step code are those of the last question
    int32_t paired;                 // forward, and line 2r + 1 has the negative of line 2r
    int32_t samples;                // of all planes
    int32_t kept;                   // answer kBound: how many the evaluator keeps, this one the last of them
    float x[kMaxLines];             // input of each driven line: sum over samples of (pos - neg)
    float pairs[kMaxLines / 2];     // of these, those of the lines 2r
    uint8_t wl[kMaxLines];          // word lines that were on
    int64_t charge[kMaxLines];      // answer kCharge, with the steps
    int64_t s_pos[kMaxLines], s_neg[kMaxLines];
    Bound bound;                    // answer kBound
};

enum Answer : int32_t { kCharge = 0, kBound = 1 };

// Charges of a conversion, its noise drawn by its number; `pairs` null where the inputs are none.
void mho_charges(const Bound* bound, const float* x, const float* pairs, uint64_t op_id, int64_t* charge);

}  // extern "C"
