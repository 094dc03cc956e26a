// Macros whose rows are driven step by step and whose columns are converted: what strobes at their pins mean, and codes of
// conversions. The kind says it as data, mirrored by sim/rows.py; codes are those of mho.macro_models.macro.conversion,
// operation for operation. Compiled without contraction.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

extern "C" {

void mho_philox(uint32_t key_low, uint32_t key_high, int64_t count, const uint64_t* op_ids, int64_t blocks, uint32_t step,
                uint32_t* words);

// Where pins are among those that a strobe brings, and how strobes make conversions.
struct RowPins {
    int32_t rows, digit_bits, row_groups;
    int32_t each;                                // each step is a conversion; else steps are added up by what they count
    int32_t code_bits, columns;
    int32_t row_pos, row_neg, wl_en;             // first bit; wl_en -1: all are on
    int32_t plane, plane_bits, step_code, op_id;
    int32_t sample, capture, convert;            // strobes; convert: of steps that are added up
    int32_t change;                              // strobe at which Python is told that cells change; -1: there is none
};

// Conversions with some word lines on, by one step code. Matrices are (rows, width), as arrays of a value for each column
// are padded to eights; sums are exact.
struct RowConversion {
    int64_t gated;                               // they are those with other word lines on too: rows that are off count nothing
    int64_t conversions, width;
    const float* single;                         // products, or null
    const double* products;                      // the same where single precision does not hold their sums
    const int32_t* variances;                    // null without read noise
    int64_t variance_width;                      // as of the products, or eight columns that are alike, as all are
    double unit;                                 // of the variances
    const int16_t* normals;                      // of each draw of 16 bits
    uint32_t read_key[2], output_key[2];
    int64_t step, bits, full_code;               // step 0: codes are the sums
    const double *offset, *gain, *bow;           // null: an ideal converter
    double noise;                                // in steps, for a normal code of 1
};

// What Python is asked: `known` conversions are kept, this one is the next; -1: cells change as the pins say.
struct RowQuestion {
    int32_t known, step_code;
    uint8_t wl[1024];
    RowConversion conversion;
};

}  // extern "C"

class Rows {
public:
    RowQuestion question{};

    Rows() = default;
    explicit Rows(const RowPins& pins)
        : pins_(pins), integrated_(size_t(pins.rows)), on_(size_t(pins.rows + 31) / 32) {}

    bool used() const { return pins_.rows != 0; }

    // Whether the model could answer; `ask` has it fill in `question.conversion`.
    template <class Ask>
    bool strobe(const uint32_t* pins, uint32_t* answer, Ask ask) {
        const bool sample = bit(pins, pins_.sample), capture = bit(pins, pins_.capture);
        if (pins_.change >= 0 && bit(pins, pins_.change)) {
            known_.clear();
            question.known = -1;
            if (!ask()) return false;
        }
        const bool converts = !pins_.each && bit(pins, pins_.convert);
        if (pending_ >= 0 && (sample || capture || converts)) {
            end_step(pins);
            if (pins_.each && !convert(pins, uint32_t(pending_), ask)) return false;
            pending_ = -1;
        }
        if (converts) {
            inputs_.clear();
            for (int32_t i = 0; i < pins_.rows; i++)
                if (integrated_[i]) inputs_.push_back({i, std::exchange(integrated_[i], 0)});
            if (!convert(pins, 0, ask)) return false;
        }
        if (capture || (pins_.each && sample)) show(answer);
        if (sample) pending_ = int32_t(field(pins, pins_.plane, pins_.plane_bits));
        return true;
    }

private:
    static constexpr size_t kKept = 64;

    struct Input {
        int32_t row, value;
    };

    struct Known {
        int32_t step_code;
        std::vector<uint32_t> on;  // word lines
        RowConversion conversion;
    };

    static bool bit(const uint32_t* from, int32_t at) { return from[at >> 5] >> (at & 31) & 1; }

    static uint64_t field(const uint32_t* from, int32_t at, int32_t bits) {
        uint64_t value = 0;
        for (int32_t k = 0; k < bits;) {
            const int32_t some = std::min(32 - ((at + k) & 31), bits - k);
            value |= (uint64_t(from[(at + k) >> 5] >> ((at + k) & 31)) & ((uint64_t(1) << some) - 1)) << k;
            k += some;
        }
        return value;
    }

    // What rows were driven with since the strobe before.
    void end_step(const uint32_t* pins) {
        const int32_t bits = pins_.digit_bits, weight = 1 << bits * (pending_ / pins_.row_groups), width = pins_.rows * bits;
        const uint32_t digit = (1u << bits) - 1;
        inputs_.clear();
        for (int32_t at = 0; at < width; at += 32) {
            const uint32_t pos = uint32_t(field(pins, pins_.row_pos + at, std::min(32, width - at)));
            const uint32_t neg = uint32_t(field(pins, pins_.row_neg + at, std::min(32, width - at)));
            for (uint32_t left = pos | neg; left;) {
                const int32_t shift = __builtin_ctz(left) & -bits;  // bits of a digit are 1, 2, 4 or 8
                left &= ~(digit << shift);
                inputs_.push_back({(at + shift) / bits, int32_t(pos >> shift & digit) - int32_t(neg >> shift & digit)});
            }
        }
        if (pins_.each) return;
        for (const Input& input : inputs_) integrated_[input.row] += weight * input.value;
    }

    template <class Ask>
    bool convert(const uint32_t* pins, uint32_t step, Ask ask) {
        question.step_code = int32_t(field(pins, pins_.step_code, 16));
        for (size_t k = 0; k < on_.size(); k++)
            on_[k] = pins_.wl_en < 0 ? ~0u : uint32_t(field(pins, pins_.wl_en + 32 * k, std::min(32, pins_.rows - 32 * int32_t(k))));
        const RowConversion* conversion = find();
        if (!conversion) {
            if (known_.size() == kKept) known_.clear();
            question.known = int32_t(known_.size());
            for (int32_t i = 0; i < pins_.rows; i++) question.wl[i] = bit(on_.data(), i);
            if (!ask()) return false;
            known_.push_back({question.step_code, on_, question.conversion});
            conversion = &known_.back().conversion;
        }
        const auto off = [this](const Input& input) { return !bit(on_.data(), input.row); };
        inputs_.erase(std::remove_if(inputs_.begin(), inputs_.end(), off), inputs_.end());
        make_codes(*conversion, field(pins, pins_.op_id, 64), step);
        return true;
    }

    const RowConversion* find() const {
        for (const Known& known : known_)
            if (known.step_code == question.step_code && (known.conversion.gated || known.on == on_)) return &known.conversion;
        return nullptr;
    }

    // sums = inputs @ matrix, or their squares; so many eights of columns in registers.
    template <class M, class T, int kTogether>
    int64_t multiply(bool squared, const M* matrix, int64_t width, int64_t at, T* sums) const {
        typedef M Stored __attribute__((vector_size(8 * sizeof(M)), aligned(sizeof(M)), may_alias));
        typedef T Eight __attribute__((vector_size(8 * sizeof(T))));
        for (; at + 8 * kTogether <= width; at += 8 * kTogether) {
            Eight total[kTogether] = {};
            for (const Input& input : inputs_) {
                const T by = squared ? T(input.value) * T(input.value) : T(input.value);
                const Stored* row = reinterpret_cast<const Stored*>(matrix + input.row * width + at);
                for (int k = 0; k < kTogether; k++) total[k] += by * __builtin_convertvector(row[k], Eight);
            }
            std::memcpy(sums + at, total, sizeof total);
        }
        return at;
    }

    template <class M, class T>
    void multiply(bool squared, const M* matrix, int64_t width, std::vector<T>& sums) const {
        sums.resize(size_t(width));
        const int64_t at = multiply<M, T, 8>(squared, matrix, width, 0, sums.data());
        multiply<M, T, 1>(squared, matrix, width, at, sums.data());
    }

    // A normal code for each conversion, mho.macro_models.integer.random.normal_codes.
    const int16_t* draw(const RowConversion& of, const uint32_t (&key)[2], uint64_t op_id, uint32_t step) {
        words_.resize(size_t(of.width) / 2);
        normal_.resize(size_t(of.width));
        mho_philox(key[0], key[1], 1, &op_id, of.width / 8, step, words_.data());
        for (size_t k = 0; k < words_.size(); k++) {
            normal_[2 * k] = of.normals[words_[k] & 0xFFFF];
            normal_[2 * k + 1] = of.normals[words_[k] >> 16];
        }
        return normal_.data();
    }

    void make_codes(const RowConversion& of, uint64_t op_id, uint32_t step) {
        if (of.single) {
            multiply(false, of.single, of.width, singles_);
            sums_.assign(singles_.begin(), singles_.end());
        } else {
            multiply(false, of.products, of.width, sums_);
        }
        if (of.variances) add_noise(of, op_id, step);
        if (of.step && of.offset) convert_each(of, op_id, step);
        if (of.step && !of.offset) convert_ideally(of);
        codes_.resize(size_t(of.conversions));
        for (size_t j = 0; j < codes_.size(); j++) codes_[j] = int32_t(sums_[j]);
    }

    // Loops below are of eight columns, which the compiler does at once.
    void add_noise(const RowConversion& of, uint64_t op_id, uint32_t step) {
        multiply(true, of.variances, of.variance_width, variance_);
        const int16_t* normal = draw(of, of.read_key, op_id, step);
        for (int64_t at = 0; at < of.width; at += 8) {
            const double* variance = variance_.data() + at % of.variance_width;
            double noise[8];
            for (int k = 0; k < 8; k++) noise[k] = std::sqrt(variance[k] * of.unit) * double(normal[at + k]);
            for (int k = 0; k < 8; k++) sums_[size_t(at + k)] += std::rint(noise[k]);
        }
    }

    // Numbers are below 2**50, so that a quotient which is not whole stays below the next whole number.
    void convert_ideally(const RowConversion& of) {
        const double full = double(of.full_code), top = double(int64_t(1) << (of.bits - 1));
        const double twice = of.bits == 1 ? 1.0 : 2.0, size = twice * double(of.step), half = of.bits == 1 ? 0.0 : double(of.step);
        for (double* sum = sums_.data(); sum < sums_.data() + of.width; sum += 8) {
            double code[8];
            for (int k = 0; k < 8; k++) code[k] = std::floor((twice * std::min(std::max(sum[k], -full), full) + half) / size);
            for (int k = 0; k < 8; k++) sum[k] = std::min(std::max(code[k], -top), top - 1.0);
        }
    }

    void convert_each(const RowConversion& of, uint64_t op_id, uint32_t step) {
        const double size = double(of.step), full = double(of.full_code), top = double(int64_t(1) << (of.bits - 1));
        const int16_t* normal = of.noise != 0.0 ? draw(of, of.output_key, op_id, step) : nullptr;
        for (int64_t at = 0; at < of.width; at += 8) {
            double level[8];
            for (int k = 0; k < 8; k++) {
                level[k] = std::min(std::max(sums_[size_t(at + k)], -full), full) / size;
                const double share = std::min(std::abs(level[k]) / top, 1.0);
                level[k] = level[k] * (1.0 + of.gain[at + k]) + of.offset[at + k] + of.bow[at + k] * (1.0 - share * share);
            }
            for (int k = 0; normal && k < 8; k++) level[k] += of.noise * double(normal[at + k]);
            for (int k = 0; k < 8; k++) level[k] = std::floor(of.bits == 1 ? level[k] : level[k] + 0.5);
            for (int k = 0; k < 8; k++) sums_[size_t(at + k)] = std::min(std::max(level[k], -top), top - 1.0);
        }
    }

    // Those of a column, of two arrays both, beside each other.
    void show(uint32_t* answer) const {
        const size_t columns = size_t(pins_.columns), bits = size_t(pins_.code_bits);
        const uint64_t mask = (uint64_t(1) << bits) - 1;
        uint64_t word = 0;
        size_t filled = 0;
        for (size_t column = 0; column < columns; column++)
            for (size_t j = column; j < codes_.size(); j += columns) {
                word |= (uint64_t(codes_[j]) & mask) << filled;
                filled += bits;
                if (filled < 32) continue;
                *answer++ = uint32_t(word);
                word >>= 32;
                filled -= 32;
            }
        if (filled) *answer = uint32_t(word);
    }

    RowPins pins_{};
    int32_t pending_ = -1;                       // number of the step that is on
    std::vector<int32_t> integrated_;
    std::vector<uint32_t> on_;                   // word lines
    std::vector<Input> inputs_;                  // of the rows that are not driven with 0
    std::vector<int32_t> codes_;
    std::vector<Known> known_;
    std::vector<float> singles_;
    std::vector<double> sums_, variance_;        // sums become codes
    std::vector<uint32_t> words_;
    std::vector<int16_t> normal_;
};
