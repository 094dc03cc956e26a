// The bodies of the phase-change macros of a simulation, behind the pins of pwm_macro.sv. Each introduces itself with its
// path in the design, and has a model, a mode and a failure of its own.
//
// LAZY, PIN_LEVEL  pulses are noted where they begin and end, of each sign of inputs and of devices. When the counters are
//              captured the model is asked once, through a function pointer that Python has set. There is nothing
//              to ask before: counters are not visible while they count.
// CONST        counters are 0: the bare speed of the RTL.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pauses.h"
#include "strobes.h"

namespace {

constexpr int kMaxLines = 256;
constexpr int kMaxDevices = 1024;
constexpr int kCountBits = 12;

}  // namespace

extern "C" {

// One conversion as the evaluator sees and answers it. Mirrored by sim/kinds/pwm.py.
struct PwmConversion {
    uint64_t op_id;
    int32_t lines, devices, step_code, shift;
    int32_t reference;               // bit 0: of reference currents; two bits each of the oscillators' levels;
                                     // bit 5: of one device; bit 6: no conversion, but a pulse of programming
    int32_t same_lines;              // word lines are those of the last conversion
    int32_t same_trim;               // and so are the trim registers
    int32_t width[4][kMaxLines];     // cycles of the pulses of (inputs, devices): (+, +), (+, -), (-, +), (-, -)
    int32_t trim[kMaxLines];         // trim registers of the columns
    int32_t amplitude[kMaxLines];    // of a pulse of programming; bit 8: the column is pulsed
    int32_t count[2][kMaxLines];     // answer: positive, then negative oscillators
    uint8_t wl[kMaxDevices];
};

using PwmEvaluate = int32_t (*)(int32_t macro);

}  // extern "C"

namespace {

struct PwmMacro {
    std::string path;
    int index = 0, lsb_cycles = 1;
    int32_t mode = 0;
    Pauses* pauses = nullptr;
    const char* failure = nullptr;
    PwmConversion conversion{};
    uint32_t pos[kMaxLines / 32]{}, neg[kMaxLines / 32]{}, wl[kMaxDevices / 32]{};
    int32_t since[2][kMaxLines]{}, with[2][kMaxLines]{};
    bool lines_known = false;
    int32_t conversions = 0;
};

std::vector<std::unique_ptr<PwmMacro>> macros;
PwmEvaluate evaluate = nullptr;

int32_t ask_model(void* macro) { return evaluate ? evaluate(static_cast<PwmMacro*>(macro)->index) : 1; }

bool ask(PwmMacro& m) { return mho_ask(ask_model, &m) == 0; }

void fail(PwmMacro& m, const char* why) {
    if (!m.failure) m.failure = why;
}

// Pulses of inputs of one sign that began or ended.
void note(PwmMacro& m, int sign, int cycle, int devices, uint32_t* last, const uint32_t* now) {
    for (int w = 0; w < (m.conversion.lines + 31) / 32; w++) {
        for (uint32_t changed = last[w] ^ now[w]; changed; changed &= changed - 1) {
            const int bit = __builtin_ctz(changed), row = 32 * w + bit;
            if (now[w] >> bit & 1) {
                m.since[sign][row] = cycle;
                m.with[sign][row] = devices;
                continue;
            }
            const int width = cycle - m.since[sign][row], with = m.with[sign][row];
            if (!with) fail(m, "a row was pulsed while no devices were selected");
            for (int side = 0; side < 2; side++)
                if (with >> side & 1) m.conversion.width[2 * sign + side][row] += width;
        }
        last[w] = now[w];
    }
}

}  // namespace

extern "C" {

// ---- called from pwm_macro.sv -------------------------------------------------------------------------------------

void* mho_pwm_create(int lines, int devices, int lsb_cycles, const char* path) {
    auto m = std::make_unique<PwmMacro>();
    m->path = path;
    m->index = int(macros.size());
    m->conversion.lines = lines;
    m->conversion.devices = devices;
    m->lsb_cycles = lsb_cycles;
    macros.push_back(std::move(m));
    return macros.back().get();
}

void mho_pwm_begin(void* handle, uint64_t op_id, int step_code, int shift, const uint32_t* wl, int reference) {
    mho_strobes++;
    PwmMacro& m = *static_cast<PwmMacro*>(handle);
    PwmConversion& c = m.conversion;
    c.op_id = op_id;
    c.step_code = step_code;
    c.shift = shift;
    c.reference = reference;
    std::memset(c.width, 0, sizeof c.width);
    const size_t bytes = sizeof(uint32_t) * ((c.devices + 31) / 32);
    c.same_lines = m.lines_known && !std::memcmp(m.wl, wl, bytes);
    if (c.same_lines) return;
    std::memcpy(m.wl, wl, bytes);
    for (int i = 0; i < c.devices; i++) c.wl[i] = wl[i >> 5] >> (i & 31) & 1;
    m.lines_known = true;
}

void mho_pwm_pulses(void* handle, int cycle, int devices, const uint32_t* pos, const uint32_t* neg) {
    mho_strobes++;
    PwmMacro& m = *static_cast<PwmMacro*>(handle);
    for (int w = 0; w < (m.conversion.lines + 31) / 32; w++)
        if (pos[w] & neg[w]) fail(m, "a row is pulsed to both sides");
    note(m, 0, cycle, devices, m.pos, pos);
    note(m, 1, cycle, devices, m.neg, neg);
}

void mho_pwm_capture(void* handle, uint32_t* pos, uint32_t* neg) {
    mho_strobes++;
    PwmMacro& m = *static_cast<PwmMacro*>(handle);
    PwmConversion& c = m.conversion;
    m.conversions++;
    uint32_t* out[2] = {pos, neg};
    for (uint32_t* one : out) std::memset(one, 0, kMaxLines * kCountBits / 8);
    if (!m.mode) return;
    for (int w = 0; w < (c.lines + 31) / 32; w++)
        if (m.pos[w] | m.neg[w]) fail(m, "counters were captured during a pulse");
    if (!ask(m)) {
        m.lines_known = false;
        return fail(m, "the evaluator of the macro model failed");
    }
    c.same_trim = 1;
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < c.lines; k++) {
            const uint64_t count = uint64_t(c.count[side][k]) << (kCountBits * k & 31);
            out[side][kCountBits * k >> 5] |= uint32_t(count);
            if (count >> 32) out[side][(kCountBits * k >> 5) + 1] |= uint32_t(count >> 32);
        }
}

void mho_pwm_trim(void* handle, int column, int data) {
    mho_strobes++;
    PwmConversion& c = static_cast<PwmMacro*>(handle)->conversion;
    c.trim[column] = data;
    c.same_trim = 0;
}

void mho_pwm_amplitude(void* handle, int column, int data) {
    mho_strobes++;
    static_cast<PwmMacro*>(handle)->conversion.amplitude[column] = data;
}

void mho_pwm_pulse(void* handle, const uint32_t* wl) {
    mho_strobes++;
    PwmMacro& m = *static_cast<PwmMacro*>(handle);
    PwmConversion& c = m.conversion;
    for (int i = 0; i < c.devices; i++) c.wl[i] = wl[i >> 5] >> (i & 31) & 1;
    m.lines_known = false;
    c.reference = 1 << 6;
    if (m.mode && !ask(m)) fail(m, "the evaluator of the macro model failed");
}

// Whether it freezes the sequencer in the next cycle.
uint8_t mho_pwm_hold(void* handle) {
    Pauses* pauses = static_cast<PwmMacro*>(handle)->pauses;
    return pauses && pauses->chance(pauses->hold);
}

// ---- called from sim/kinds/pwm.py -------------------------------------------------------------------------------------

int32_t mho_pwm_macros() { return int32_t(macros.size()); }
const char* mho_pwm_path(int32_t macro) { return macros.at(macro)->path.c_str(); }
PwmConversion* mho_pwm_conversion(int32_t macro) { return &macros.at(macro)->conversion; }
const char* mho_pwm_failure(int32_t macro) { return macros.at(macro)->failure; }
int32_t mho_pwm_lsb_cycles(int32_t macro) { return macros.at(macro)->lsb_cycles; }
int32_t mho_pwm_conversions(int32_t macro) { return macros.at(macro)->conversions; }
void mho_pwm_set_evaluate(PwmEvaluate f) { evaluate = f; }

// Before a batch: other cells may be behind the pins from now on. `pauses` are those of its bench.
void mho_pwm_start(int32_t macro, int32_t mode, int32_t, Pauses* pauses) {
    PwmMacro& m = *macros.at(macro);
    m.mode = mode;
    m.pauses = pauses;
    m.failure = nullptr;
    m.lines_known = false;
    m.conversion.same_trim = 0;
    m.conversions = 0;
}

}  // extern "C"
