// Charges of conversions in C++: those of mho.macro_models.tnsa.sensing.Key.charge, operation for operation, so that tiles in
// several threads have theirs at once, without an interpreter. Compiled without contraction.
#include "conversion.h"

#include <algorithm>
#include <cmath>
#include <cstring>

extern "C" void mho_philox(uint32_t key_low, uint32_t key_high, int64_t count, const uint64_t* op_ids, int64_t blocks,
                           uint32_t step, uint32_t* words);

namespace {

constexpr int kWide = 16;               // lines that one vector holds
constexpr int kTogether = 4 * kWide;    // lines of which sums are kept in registers
constexpr int kEight = 8;               // lines of one step of the noise

typedef float Wide __attribute__((vector_size(4 * kWide), aligned(4), may_alias));

// sums = inputs @ matrix. An input of 0 adds nothing.
void multiply(const float* inputs, int64_t count, const float* matrix, int64_t lines, float* sums) {
    int driven[kMaxLines];
    int some = 0;
    for (int i = 0; i < count; i++)
        if (inputs[i] != 0.0f) driven[some++] = i;
    int64_t at = 0;
    for (; at + kTogether <= lines; at += kTogether) {
        Wide a{}, b{}, c{}, d{};
        for (int n = 0; n < some; n++) {
            const Wide* row = reinterpret_cast<const Wide*>(matrix + driven[n] * lines + at);
            const float by = inputs[driven[n]];
            a += by * row[0];
            b += by * row[1];
            c += by * row[2];
            d += by * row[3];
        }
        Wide* to = reinterpret_cast<Wide*>(sums + at);
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    }
    for (; at < lines; at++) {
        float sum = 0.0f;
        for (int n = 0; n < some; n++) sum += inputs[driven[n]] * matrix[driven[n] * lines + at];
        sums[at] = sum;
    }
}

// A normal code for each line, mho.macro_models.integer.random.normal_codes.
void draw(const Bound& of, const uint32_t (&key)[2], uint64_t op_id, int16_t* codes) {
    uint32_t words[kMaxLines / 2];
    mho_philox(key[0], key[1], 1, &op_id, (of.lines + 7) / 8, 0, words);
    for (int i = 0; i < of.lines; i++) codes[i] = of.normals[words[i / 2] >> 16 * (i & 1) & 0xFFFF];
}

// Adds the read noise of Key.add_noise to the accumulators.
void read_noise(const Bound& of, const Seen& seen, const float* inputs, const int16_t* codes, double* a) {
    float squares[kMaxLines], square[kMaxLines], cross[kMaxLines] = {};
    for (int i = 0; i < seen.inputs; i++) squares[i] = inputs[i] * inputs[i];
    multiply(squares, seen.inputs, seen.square, of.lines, square);
    if (seen.cross) multiply(inputs, seen.inputs, seen.cross, of.lines, cross);
    for (int64_t at = 0; at < of.lines; at += kEight) {
        const int64_t end = std::min(at + kEight, of.lines);
        for (int64_t i = at; i < end; i++) {
            const double v = a[i] * of.inverse[i];
            double variance = of.total[i] * v;
            variance -= 2.0 * double(cross[i]);
            variance *= v;
            variance += double(square[i]);
            a[i] += std::rint(std::sqrt(std::max(variance, 0.0)) * double(codes[i]));
        }
    }
}

}  // namespace

extern "C" void mho_charges(const Bound* bound, const float* x, const float* pairs, uint64_t op_id, int64_t* charge) {
    const Bound& of = *bound;
    const bool paired = pairs && of.by_pair.inputs;
    const Seen& seen = paired ? of.by_pair : of.by_line;
    const float* inputs = paired ? pairs : x;
    float sums[kMaxLines];
    multiply(inputs, seen.inputs, seen.matrix, of.lines, sums);
    if (!of.total && !of.output_noise) {
        for (int i = 0; i < of.lines; i++) charge[i] = 2 * int64_t(int32_t(sums[i])) + of.offset[i];
        return;
    }
    double a[kMaxLines];
    int16_t codes[kMaxLines];
    for (int i = 0; i < of.lines; i++) a[i] = double(sums[i]);
    if (of.total) {
        draw(of, of.read_key, op_id, codes);
        read_noise(of, seen, inputs, codes, a);
    }
    if (of.output_noise) {
        draw(of, of.output_key, op_id, codes);
        for (int i = 0; i < of.lines; i++) a[i] += std::rint(of.output_noise[i] * double(codes[i]));
    }
    for (int i = 0; i < of.lines; i++) charge[i] = 2 * int64_t(a[i]) + of.offset[i];
}
