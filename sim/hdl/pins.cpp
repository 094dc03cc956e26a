// Macros whose bodies are generated from the contract of their pins (rtl_gen/macro/body.py): Python is asked at each strobe,
// or of rows and columns (rows.h) once for conversions that are alike.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pauses.h"
#include "rows.h"
#include "strobes.h"

namespace {

constexpr int kWords = 8192 / 32;  // _PINS_BITS in rtl_gen/macro/body.py

}  // namespace

extern "C" {

using PinEvaluate = int32_t (*)(int32_t macro);

}  // extern "C"

namespace {

struct PinMacro {
    std::string path, layout;
    int index = 0;
    int32_t mode = 0;
    Pauses* pauses = nullptr;
    const char* failure = nullptr;
    Rows rows;
    uint32_t pins[kWords]{}, answer[kWords]{};
};

std::vector<std::unique_ptr<PinMacro>> macros;
PinEvaluate evaluate = nullptr;

int32_t ask_model(void* macro) { return evaluate ? evaluate(static_cast<PinMacro*>(macro)->index) : 1; }

}  // namespace

extern "C" {

// ---- called from the generated body ---------------------------------------------------------------------------------

void* mho_pins_create(const char* path, const char* layout, int bits) {
    if (bits != 32 * kWords) std::abort();
    auto m = std::make_unique<PinMacro>();
    m->path = path;
    m->layout = layout;
    m->index = int(macros.size());
    macros.push_back(std::move(m));
    return macros.back().get();
}

void mho_pins_strobe(void* handle, const uint32_t* pins, uint32_t* answer) {
    mho_strobes++;
    PinMacro& m = *static_cast<PinMacro*>(handle);
    bool answered = true;
    const auto ask = [&m] { return mho_ask(ask_model, &m) == 0; };
    if (m.mode) std::memcpy(m.pins, pins, sizeof m.pins);
    if (m.mode) answered = m.rows.used() ? m.rows.strobe(pins, m.answer, ask) : ask();
    if (!answered && !m.failure) m.failure = "the model of the macro failed";
    std::memcpy(answer, m.answer, sizeof m.answer);
}

// Whether it freezes the sequencer in the next cycle.
uint8_t mho_pins_hold(void* handle) {
    Pauses* pauses = static_cast<PinMacro*>(handle)->pauses;
    return pauses && pauses->chance(pauses->hold);
}

// ---- called from sim/core/simulator/shim.py -------------------------------------------------------------------

int32_t mho_pins_macros() { return int32_t(macros.size()); }
const char* mho_pins_path(int32_t macro) { return macros.at(macro)->path.c_str(); }
const char* mho_pins_layout(int32_t macro) { return macros.at(macro)->layout.c_str(); }
int32_t mho_pins_bytes() { return 4 * kWords; }
const uint32_t* mho_pins_driven(int32_t macro) { return macros.at(macro)->pins; }
uint32_t* mho_pins_answer(int32_t macro) { return macros.at(macro)->answer; }
const char* mho_pins_failure(int32_t macro) { return macros.at(macro)->failure; }
RowQuestion* mho_pins_question(int32_t macro) { return &macros.at(macro)->rows.question; }
void mho_pins_set_evaluate(PinEvaluate f) { evaluate = f; }

// Behind a start: from now on conversions are answered here, and Python says what they are.
void mho_pins_rows(int32_t macro, const RowPins* pins) {
    macros.at(macro)->rows = Rows(*pins);
    std::memset(macros.at(macro)->answer, 0, sizeof macros.at(macro)->answer);
}

// Before a batch; `pauses` are those of its bench.
void mho_pins_start(int32_t macro, int32_t mode, int32_t, Pauses* pauses) {
    PinMacro& m = *macros.at(macro);
    m.mode = mode;
    m.pauses = pauses;
    m.failure = nullptr;
    m.rows = Rows();
}

}  // extern "C"
