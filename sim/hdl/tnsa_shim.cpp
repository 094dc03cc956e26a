// The bodies of the transposable macros of a simulation, behind the pins of tnsa_macro.sv. Each introduces itself with its
// path in the design, and has a model, a mode, counters and a failure of its own.
//
// LAZY   planes and repeats are recorded as they are strobed. At the first compare of a conversion its charges are made
//        (charges.cpp, or the model in Python, a function pointer, where a key is new or its errors are not among
//        those in C++), and every later compare and decrement is answered from them.
// PIN_LEVEL  every strobe is handed to a function of the model: slow, and the truth for the lazy mode.
// CONST  the comparator never flips: the bare speed of the RTL.
//
// Everything is integer arithmetic (macro_models/integer/tnsa/converter.py), so all answers are bit-exact.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "conversion.h"
#include "pauses.h"
#include "strobes.h"

namespace {

constexpr int kMaxWords = kMaxLines / 32;
constexpr int kMaxPlanes = 16;  // distinct (plane, pins) of one conversion; a legal one has at most four
constexpr int kCountCap = 255;  // decrements that the flip table reaches; the residual path goes on behind it

enum Mode : int32_t { kConst = 0, kLazy = 1, kPinLevel = 2 };
enum Strobe : int32_t { kPrecharge = 0, kSample = 1, kCompare = 2, kDecrement = 3 };

}  // namespace

extern "C" {

// The pins at a strobe. Mirrored by sim/kinds/tnsa/.
struct Pins {
    uint64_t op_id;
    int32_t backward, plane, latch, dec_scale, step_code;
    int32_t lines;
    uint32_t bl_pos[kMaxWords], bl_neg[kMaxWords], sl_pos[kMaxWords], sl_neg[kMaxWords], wl_en[kMaxWords];
    uint32_t cmp[kMaxWords];
};

// Answers the conversion of a macro, given by its index: an Answer, or -1 if it failed.
using Evaluate = int32_t (*)(int32_t macro);
using OnStrobe = int32_t (*)(int32_t macro, int32_t strobe);

}  // extern "C"

namespace {

struct Plane {
    int32_t plane, repeats;
    uint32_t pos[kMaxWords], neg[kMaxWords];
};

// What the evaluator has said of a key: conversions with it are not asked for.
struct Known {
    int32_t backward, step_code;
    uint32_t wl_en[kMaxWords];
    Bound bound;
};

struct Macro {
    std::string path;
    int index = 0, lines = 0, words = 0;
    Mode mode = kConst;
    Pauses* pauses = nullptr;
    const char* failure = nullptr;
    bool keep_charges = false;
    std::vector<int64_t> charge_log;
    Pins pins{};
    Conversion conversion{};
    std::vector<Known> known;
    Plane planes[kMaxPlanes];
    int used = 0;
    uint32_t wl_en[kMaxWords]{};
    bool key_known = false;  // the last conversion was the evaluator's, with this key:
    int32_t last_backward = 0, last_step_code = 0;
    uint32_t last_wl[kMaxWords]{};
    bool evaluated = false;  // the charges of this conversion are known
    bool counting = false;   // answers come from the flip table
    int taken = 0;           // decrements so far, while counting
    uint32_t negative[kMaxWords]{}, latched[kMaxWords]{};
    uint32_t flips[kCountCap + 1][kMaxWords];  // row k: lines that flip at decrement k
    int64_t residual[kMaxLines]{};
    std::vector<int32_t> decrements;  // strobes of each conversion since the batch began, whatever the mode
};

std::vector<std::unique_ptr<Macro>> macros;
Evaluate evaluate = nullptr;
OnStrobe on_strobe = nullptr;

int32_t ask_model(void* macro) { return evaluate ? evaluate(static_cast<Macro*>(macro)->index) : -1; }

void fail(Macro& m, const char* why) {
    if (!m.failure) m.failure = why;
}

inline bool bit(const uint32_t* v, int i) { return v[i >> 5] >> (i & 31) & 1; }

void sum_inputs(Macro& m) {
    float* x = m.conversion.x;
    std::memset(x, 0, sizeof m.conversion.x);
    m.conversion.samples = 0;
    for (int p = 0; p < m.used; p++) {
        const Plane& plane = m.planes[p];
        const int32_t r = plane.repeats;
        m.conversion.samples += r;
        for (int w = 0; w < m.words; w++) {
            const uint32_t pos = plane.pos[w], neg = plane.neg[w];
            if (!(pos | neg)) continue;
            float* xw = x + 32 * w;
            for (int b = 0; b < 32; b++) xw[b] += float(r * (int32_t(pos >> b & 1) - int32_t(neg >> b & 1)));
        }
    }
    bool paired = !m.conversion.backward;
    for (int k = 0; k < m.lines / 2; k++) {
        m.conversion.pairs[k] = x[2 * k];
        paired &= x[2 * k] == -x[2 * k + 1];
    }
    m.conversion.paired = paired;
}

// Signs, and for each decrement the lines that flip at it: a line that counts n flips at decrement n + 1.
void prepare_answers(Macro& m) {
    const Conversion& c = m.conversion;
    std::memset(m.negative, 0, sizeof m.negative);
    std::memset(m.flips, 0, sizeof m.flips);
    for (int i = 0; i < m.lines; i++) {
        const int64_t a = c.charge[i];
        const int64_t magnitude = a < 0 ? -a : a, step = a < 0 ? c.s_neg[i] : c.s_pos[i];
        if (step <= 0) return fail(m, "the model answered with a converter step that is not positive");
        const uint32_t line = uint32_t(1) << (i & 31);
        if (a < 0) m.negative[i >> 5] |= line;
        // Odd over even is never whole, so truncation is exact; both are below 2**53, so is the division.
        const double n = double(magnitude) / double(step);
        if (n < kCountCap) m.flips[int(n) + 1][i >> 5] |= line;
    }
}

// The key of a conversion that is about to be answered, if the evaluator has said what there is to know of it.
const Known* known_key(const Macro& m, const Pins& p) {
    for (const Known& one : m.known)
        if (one.backward == p.backward && one.step_code == p.step_code && !std::memcmp(one.wl_en, m.wl_en, sizeof one.wl_en))
            return &one;
    return nullptr;
}

void answer_by(Macro& m, const Bound& bound) {
    Conversion& c = m.conversion;
    std::memcpy(c.s_pos, bound.s_pos, sizeof(int64_t) * m.lines);
    std::memcpy(c.s_neg, bound.s_neg, sizeof(int64_t) * m.lines);
    mho_charges(&bound, c.x, c.paired ? c.pairs : nullptr, c.op_id, c.charge);
    m.key_known = false;  // a question after this one has another key
}

// Whether the evaluator could.
bool ask(Macro& m) {
    Conversion& c = m.conversion;
    c.same_key = m.key_known && c.backward == m.last_backward && c.step_code == m.last_step_code &&
                 !std::memcmp(m.wl_en, m.last_wl, sizeof m.wl_en);
    m.last_backward = c.backward;
    m.last_step_code = c.step_code;
    std::memcpy(m.last_wl, m.wl_en, sizeof m.wl_en);
    for (int i = 0; i < m.lines; i++) c.wl[i] = bit(m.wl_en, i);
    const int32_t answer = mho_ask(ask_model, &m);
    m.key_known = answer == kCharge;
    if (answer == kBound) {
        m.known.resize(size_t(c.kept) - 1);
        Known& one = m.known.emplace_back(Known{c.backward, c.step_code, {}, c.bound});
        std::memcpy(one.wl_en, m.wl_en, sizeof m.wl_en);
        answer_by(m, one.bound);
    }
    return answer == kCharge || answer == kBound;
}

void convert(Macro& m, const Pins& p) {
    Conversion& c = m.conversion;
    c.op_id = p.op_id;
    c.backward = p.backward;
    c.step_code = p.step_code;
    sum_inputs(m);
    if (const Known* one = known_key(m, p)) {
        answer_by(m, one->bound);
    } else if (!ask(m)) {
        return fail(m, "the evaluator of the macro model failed");
    }
    m.evaluated = m.counting = true;
    m.taken = 0;
    if (m.keep_charges) m.charge_log.insert(m.charge_log.end(), c.charge, c.charge + m.lines);
    prepare_answers(m);
}

// Leaves the flip table: from here on charges are kept explicitly, one for each line.
void keep_residuals(Macro& m) {
    const Conversion& c = m.conversion;
    m.counting = false;
    for (int i = 0; i < m.lines; i++)
        m.residual[i] = c.charge[i] + m.taken * (bit(m.latched, i) ? c.s_neg[i] : -c.s_pos[i]);
}

void lazy_compare(Macro& m, bool latch) {
    if (!m.evaluated) convert(m, m.pins);
    if (latch) {
        // A latch after the first decrement starts a search, whose direction changes with the charge.
        if (m.counting && m.taken) keep_residuals(m);
        std::memcpy(m.latched, m.negative, sizeof m.latched);
    }
    std::memcpy(m.pins.cmp, m.negative, sizeof m.negative);
}

void lazy_decrement(Macro& m, int scale, int32_t step_code) {
    const Conversion& c = m.conversion;
    if (!m.evaluated) return fail(m, "a decrement came before the compare that latches its direction");
    if (step_code != c.step_code) return fail(m, "step_code changed within a conversion");
    if (m.counting && scale == 0 && m.taken < kCountCap) {
        const uint32_t* row = m.flips[++m.taken];
        for (int w = 0; w < m.words; w++) m.negative[w] ^= row[w];
        return;
    }
    if (m.counting) keep_residuals(m);
    std::memset(m.negative, 0, sizeof m.negative);
    for (int i = 0; i < m.lines; i++) {
        m.residual[i] += bit(m.latched, i) ? c.s_neg[i] << scale : -(c.s_pos[i] << scale);
        m.negative[i >> 5] |= uint32_t(m.residual[i] < 0) << (i & 31);
    }
}

void lazy_sample(Macro& m) {
    const Pins& p = m.pins;
    const uint32_t* pos = p.backward ? p.sl_pos : p.bl_pos;
    const uint32_t* neg = p.backward ? p.sl_neg : p.bl_neg;
    const size_t bytes = sizeof(uint32_t) * m.words;
    if (m.evaluated) return fail(m, "a sample came after a compare without a precharge between them");
    if (m.used) {
        Plane& last = m.planes[m.used - 1];
        if (std::memcmp(m.wl_en, p.wl_en, bytes)) return fail(m, "the word lines changed between two samples of a conversion");
        if (last.plane == p.plane && !std::memcmp(last.pos, pos, bytes) && !std::memcmp(last.neg, neg, bytes)) {
            last.repeats++;
            return;
        }
        if (m.used == kMaxPlanes) return fail(m, "a conversion has more planes than an operation can have");
    }
    std::memcpy(m.wl_en, p.wl_en, bytes);
    Plane& next = m.planes[m.used++];
    next.plane = p.plane;
    next.repeats = 1;
    for (int w = 0; w < m.words; w++) {
        next.pos[w] = pos[w];
        next.neg[w] = neg[w];
        if (pos[w] & neg[w]) fail(m, "a line register drives a line to both sides");
    }
}

void at_pin_level(Macro& m, Strobe strobe) {
    if (!on_strobe || on_strobe(m.index, strobe) != 0) fail(m, "the macro model at its pins failed");
}

}  // namespace

extern "C" {

// ---- called from tnsa_macro.sv ------------------------------------------------------------------------------------

void* mho_macro_create(int lines, const char* path) {
    auto m = std::make_unique<Macro>();
    m->path = path;
    m->index = int(macros.size());
    m->lines = m->pins.lines = m->conversion.lines = lines;
    m->words = (lines + 31) / 32;
    macros.push_back(std::move(m));
    return macros.back().get();
}

void mho_precharge(void* handle, uint64_t op_id) {
    mho_strobes++;
    Macro& m = *static_cast<Macro*>(handle);
    m.used = 0;
    m.evaluated = m.counting = false;
    m.taken = 0;
    m.decrements.push_back(0);
    m.pins.op_id = op_id;
    if (m.mode == kPinLevel) at_pin_level(m, kPrecharge);
}

void mho_sample(void* handle, uint8_t backward, int plane, const uint32_t* bl_pos, const uint32_t* bl_neg,
                const uint32_t* sl_pos, const uint32_t* sl_neg, const uint32_t* wl_en) {
    mho_strobes++;
    Macro& m = *static_cast<Macro*>(handle);
    if (m.mode == kConst) return;
    const size_t bytes = sizeof(uint32_t) * m.words;
    m.pins.backward = backward;
    m.pins.plane = plane;
    std::memcpy(m.pins.bl_pos, bl_pos, bytes);
    std::memcpy(m.pins.bl_neg, bl_neg, bytes);
    std::memcpy(m.pins.sl_pos, sl_pos, bytes);
    std::memcpy(m.pins.sl_neg, sl_neg, bytes);
    std::memcpy(m.pins.wl_en, wl_en, bytes);
    m.mode == kPinLevel ? at_pin_level(m, kSample) : lazy_sample(m);
}

void mho_compare(void* handle, uint8_t latch, int step_code, uint64_t op_id, uint32_t* cmp) {
    mho_strobes++;
    Macro& m = *static_cast<Macro*>(handle);
    m.pins.op_id = op_id;
    m.pins.latch = latch;
    m.pins.step_code = step_code;
    if (m.mode == kLazy) lazy_compare(m, latch);
    if (m.mode == kPinLevel) at_pin_level(m, kCompare);
    std::memcpy(cmp, m.pins.cmp, sizeof m.pins.cmp);
}

void mho_decrement(void* handle, int scale, int step_code) {
    mho_strobes++;
    Macro& m = *static_cast<Macro*>(handle);
    if (!m.decrements.empty()) m.decrements.back()++;
    m.pins.dec_scale = scale;
    m.pins.step_code = step_code;
    if (m.mode == kLazy) lazy_decrement(m, scale, step_code);
    if (m.mode == kPinLevel) at_pin_level(m, kDecrement);
}

// Whether it freezes the sequencer in the next cycle.
uint8_t mho_hold(void* handle) {
    Pauses* pauses = static_cast<Macro*>(handle)->pauses;
    return pauses && pauses->chance(pauses->hold);
}

// ---- called from sim/kinds/tnsa/macro.py -------------------------------------------------------------------------

int32_t mho_tnsa_macros() { return int32_t(macros.size()); }
const char* mho_tnsa_path(int32_t macro) { return macros.at(macro)->path.c_str(); }
Conversion* mho_tnsa_conversion(int32_t macro) { return &macros.at(macro)->conversion; }
Pins* mho_tnsa_pins(int32_t macro) { return &macros.at(macro)->pins; }
const char* mho_tnsa_failure(int32_t macro) { return macros.at(macro)->failure; }
void mho_tnsa_set_evaluate(Evaluate f) { evaluate = f; }
void mho_tnsa_set_strobe(OnStrobe f) { on_strobe = f; }

// Decrement strobes of each conversion since the batch began.
int32_t mho_tnsa_conversions(int32_t macro) { return int32_t(macros.at(macro)->decrements.size()); }
const int32_t* mho_tnsa_decrements(int32_t macro) { return macros.at(macro)->decrements.data(); }

// Charges of each lazy evaluation since the batch began, if they are kept.
int64_t mho_tnsa_charge_count(int32_t macro) { return int64_t(macros.at(macro)->charge_log.size()); }
const int64_t* mho_tnsa_charges(int32_t macro) { return macros.at(macro)->charge_log.data(); }

// Before a batch. Forgets everything that depends on the model: other cells may be behind the pins from now on.
// `pauses` are those of its bench.
void mho_tnsa_start(int32_t macro, int32_t mode, int32_t keep, Pauses* pauses) {
    Macro& m = *macros.at(macro);
    m.mode = Mode(mode);
    m.pauses = pauses;
    m.keep_charges = keep != 0;
    m.charge_log.clear();
    m.failure = nullptr;
    m.key_known = m.evaluated = m.counting = false;
    m.known.clear();
    m.used = m.taken = 0;
    m.decrements.clear();
    std::memset(m.pins.cmp, 0, sizeof m.pins.cmp);
    std::memset(m.negative, 0, sizeof m.negative);
}

}  // extern "C"
