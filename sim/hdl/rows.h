// Macros whose rows are driven step by step and whose columns are converted: what strobes at their pins mean, and codes of
// conversions. The kind says it as data, mirrored by sim/rows.py; codes are those of mho.macro_models.macro.conversion,
// operation for operation. Compiled without contraction.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
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

// Conversions with some word lines on, by one step code. Matrices are (rows, width), padded with zeros; sums are exact.
struct RowConversion {
    int64_t conversions, width;
    const float* single;                         // products, or null
    const double* products;                      // the same where single precision does not hold them
    const double* variances;                     // null without read noise
    int64_t variance_width, variance_columns;    // of one column all are alike
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
        : pins_(pins), driven_(size_t(pins.rows)), integrated_(size_t(pins.rows)), on_(size_t(pins.rows + 31) / 32) {}

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
            if (pins_.each && !convert(pins, driven_, uint32_t(pending_), ask)) return false;
            pending_ = -1;
        }
        if (converts) {
            if (!convert(pins, integrated_, 0, ask)) return false;
            std::fill(integrated_.begin(), integrated_.end(), 0);
        }
        if (capture || (pins_.each && sample)) show(answer);
        if (sample) pending_ = int32_t(field(pins, pins_.plane, pins_.plane_bits));
        return true;
    }

private:
    static constexpr size_t kKept = 64;

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
        for (int32_t at = 0, i = 0; at < width; at += 32) {
            uint32_t pos = uint32_t(field(pins, pins_.row_pos + at, std::min(32, width - at)));
            uint32_t neg = uint32_t(field(pins, pins_.row_neg + at, std::min(32, width - at)));
            for (const int32_t end = std::min(i + 32 / bits, pins_.rows); i < end; i++, pos >>= bits, neg >>= bits) {
                driven_[i] = int32_t(pos & digit) - int32_t(neg & digit);
                if (!pins_.each) integrated_[i] += weight * driven_[i];
            }
        }
    }

    template <class Ask>
    bool convert(const uint32_t* pins, const std::vector<int32_t>& x, uint32_t step, Ask ask) {
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
        make_codes(*conversion, x, field(pins, pins_.op_id, 64), step);
        return true;
    }

    const RowConversion* find() const {
        for (const Known& known : known_)
            if (known.step_code == question.step_code && known.on == on_) return &known.conversion;
        return nullptr;
    }

    // sums = x @ matrix of the rows that are driven, or the squares of x; so many columns in registers.
    template <class T, int kTogether>
    int64_t multiply(const std::vector<int32_t>& x, bool squared, const T* matrix, int64_t width, int64_t at, T* sums) const {
        typedef T Eight __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias));
        for (; at + 8 * kTogether <= width; at += 8 * kTogether) {
            Eight total[kTogether] = {};
            for (const int32_t i : rows_on_) {
                const T by = squared ? T(x[i]) * T(x[i]) : T(x[i]);
                for (int k = 0; k < kTogether; k++) total[k] += by * reinterpret_cast<const Eight*>(matrix + i * width + at)[k];
            }
            std::memcpy(sums + at, total, sizeof total);
        }
        return at;
    }

    template <class T>
    void multiply(const std::vector<int32_t>& x, bool squared, const T* matrix, int64_t width, std::vector<T>& sums) const {
        sums.resize(size_t(width));
        const int64_t at = multiply<T, 4>(x, squared, matrix, width, 0, sums.data());
        multiply<T, 1>(x, squared, matrix, width, at, sums.data());
    }

    // A normal code for each conversion, mho.macro_models.integer.random.normal_codes.
    const std::vector<int16_t>& draw(const RowConversion& of, const uint32_t (&key)[2], uint64_t op_id, uint32_t step) {
        const int64_t blocks = (of.conversions + 7) / 8;
        words_.resize(size_t(4 * blocks));
        normal_.resize(size_t(of.conversions));
        mho_philox(key[0], key[1], 1, &op_id, blocks, step, words_.data());
        for (size_t j = 0; j < normal_.size(); j++) normal_[j] = of.normals[words_[j / 2] >> 16 * (j & 1) & 0xFFFF];
        return normal_;
    }

    void make_codes(const RowConversion& of, const std::vector<int32_t>& x, uint64_t op_id, uint32_t step) {
        const size_t count = size_t(of.conversions);
        codes_.resize(count);
        rows_on_.clear();
        for (int32_t i = 0; i < pins_.rows; i++)
            if (x[i]) rows_on_.push_back(i);
        if (of.single) {
            multiply(x, false, of.single, of.width, singles_);
            charge_.assign(singles_.begin(), singles_.end());
        } else {
            multiply(x, false, of.products, of.width, charge_);
        }
        if (of.variances) {
            multiply(x, true, of.variances, of.variance_width, variance_);
            const std::vector<int16_t>& normal = draw(of, of.read_key, op_id, step);
            for (size_t j = 0; j < count; j++) {
                const double variance = variance_[of.variance_columns == 1 ? 0 : j];
                charge_[j] += std::rint(std::sqrt(variance * of.unit) * double(normal[j]));
            }
        }
        if (!of.step)
            for (size_t j = 0; j < count; j++) codes_[j] = int64_t(charge_[j]);
        else if (of.offset)
            convert_each(of, op_id, step);
        else
            convert_ideally(of);
    }

    // Numbers are below 2**50, so that a quotient which is not whole stays below the next whole number.
    void convert_ideally(const RowConversion& of) {
        const double size = double(of.step), full = double(of.full_code), top = double(int64_t(1) << (of.bits - 1));
        for (size_t j = 0; j < codes_.size(); j++) {
            const double charge = std::clamp(charge_[j], -full, full);
            const double whole = std::floor(of.bits == 1 ? charge / size : (2.0 * charge + size) / (2.0 * size));
            codes_[j] = int64_t(std::clamp(whole, -top, top - 1.0));
        }
    }

    void convert_each(const RowConversion& of, uint64_t op_id, uint32_t step) {
        const double size = double(of.step), full = double(of.full_code), top = double(int64_t(1) << (of.bits - 1));
        const int16_t* normal = of.noise != 0.0 ? draw(of, of.output_key, op_id, step).data() : nullptr;
        for (size_t j = 0; j < codes_.size(); j++) {
            double level = std::clamp(charge_[j], -full, full) / size;
            const double share = 1.0 - std::min(std::abs(level) / top, 1.0) * std::min(std::abs(level) / top, 1.0);
            level = level * (1.0 + of.gain[j]) + of.offset[j] + of.bow[j] * share;
            if (normal) level += of.noise * double(normal[j]);
            codes_[j] = int64_t(std::clamp(std::floor(of.bits == 1 ? level : level + 0.5), -top, top - 1.0));
        }
    }

    // Those of a column, of two arrays both, beside each other.
    void show(uint32_t* answer) const {
        const size_t columns = size_t(pins_.columns), sides = codes_.size() / columns;
        for (size_t j = 0; j < codes_.size(); j++) {
            size_t at = (j % columns * sides + j / columns) * size_t(pins_.code_bits);
            uint64_t code = uint64_t(codes_[j]) & ((uint64_t(1) << pins_.code_bits) - 1);
            for (size_t left = size_t(pins_.code_bits); left;) {
                const size_t from = at & 31, some = std::min(32 - from, left);
                const uint32_t mask = uint32_t(((uint64_t(1) << some) - 1) << from);
                answer[at >> 5] = (answer[at >> 5] & ~mask) | (uint32_t(code << from) & mask);
                code >>= some, at += some, left -= some;
            }
        }
    }

    RowPins pins_{};
    int32_t pending_ = -1;                       // number of the step that is on
    std::vector<int32_t> driven_, integrated_;
    std::vector<uint32_t> on_;                   // word lines
    std::vector<int32_t> rows_on_;               // those that are not driven with 0
    std::vector<int64_t> codes_;
    std::vector<Known> known_;
    std::vector<float> singles_;
    std::vector<double> charge_, variance_;
    std::vector<uint32_t> words_;
    std::vector<int16_t> normal_;
};
