// Feeders and catchers of core_bench.sv: one batch is a few arrays that Python owns, moved word by word in C++. The
// batches of several cores run at once; Python is woken when all have ended.
#include <cstdint>

#include "pauses.h"

namespace {

constexpr int kOpWords = 4;  // an operation descriptor, padded to words of 32 bits

// One batch. Mirrored by sim/core/simulator/shim.py; the arrays stay valid until the batch has ended.
struct Batch {
    const uint32_t* ops;      // kOpWords each
    const uint32_t* masks;    // address and data, two words each
    const uint32_t* inputs;
    uint32_t* outputs;
    uint64_t* counters;       // at each `done`: total, analog and held cycles
    int64_t op_count, mask_count, input_count, output_count, done_count;
    int64_t patience;         // cycles without any progress after which the core counts as stuck
    uint32_t seed;            // of the random gaps; 0 is replaced
    int32_t gap, stall, hold; // of 256 cycles, how many are idle on average
};

// A run of write-verify within a batch. Mirrored by sim/core/simulator/shim.py.
struct Program {
    const uint32_t* targets;    // of one pass; the same are sent in each
    uint32_t* cells;            // results of all passes
    uint32_t* map;              // words of the fault map at the end
    uint64_t* counters;         // sets, resets, forms, reads, pulsed, faults, pass, cycles, cycles held
    const uint32_t* parameters; // kParameterWords
    int64_t target_count, cell_count, map_count;
    int64_t start_after;        // cycles from the begin of the batch
    int64_t stop_after;         // results after which the run is stopped; -1: never
};

constexpr int kParameterWords = 8;
constexpr int kMapLatency = 2;  // from an address in C++ to its word: two flip-flops

enum Outcome : int32_t { kIdle = 0, kRunning = 1, kComplete = 2, kStuck = 3, kTooMany = 4 };

// Feeder and catcher of one core.
struct Bench {
    Batch batch{};
    Pauses pauses;
    int64_t ops_sent, masks_sent, inputs_sent, outputs_taken, dones_seen, idle_cycles, batch_cycles;
    int32_t waiting = 0;  // of mask, operation, input: what was not taken at the end
    Outcome outcome = kIdle;
    bool active = false, error_seen = false;

    Program program{};
    bool programming = false, started = false, written = false;
    int64_t targets_sent, cells_taken, map_asked;

    // Everything of the run has come back, the fault map at last.
    bool programmed() const { return !programming || (written && map_asked >= program.map_count + kMapLatency); }
};

Bench bench;

Bench& bench_of(void* handle) { return *static_cast<Bench*>(handle); }

}  // namespace

extern "C" {

// ---- called from core_bench.sv --------------------------------------------------------------------------------------

uint8_t mho_next_op(void* handle, uint32_t* payload) {
    Bench& b = bench_of(handle);
    if (b.ops_sent == b.batch.op_count || b.masks_sent != b.batch.mask_count || b.pauses.chance(b.pauses.gap)) return 0;
    for (int w = 0; w < kOpWords; w++) payload[w] = b.batch.ops[kOpWords * b.ops_sent + w];
    b.ops_sent++;
    b.idle_cycles = 0;
    return 1;
}

uint8_t mho_next_mask(void* handle, uint32_t* address, uint32_t* data) {
    Bench& b = bench_of(handle);
    if (b.masks_sent == b.batch.mask_count || b.pauses.chance(b.pauses.gap)) return 0;
    *address = b.batch.masks[2 * b.masks_sent];
    *data = b.batch.masks[2 * b.masks_sent + 1];
    b.masks_sent++;
    b.idle_cycles = 0;
    return 1;
}

uint8_t mho_next_input(void* handle, uint32_t* payload) {
    Bench& b = bench_of(handle);
    if (b.inputs_sent == b.batch.input_count || b.pauses.chance(b.pauses.gap)) return 0;
    *payload = b.batch.inputs[b.inputs_sent++];
    b.idle_cycles = 0;
    return 1;
}

uint8_t mho_ready(void* handle) { Bench& b = bench_of(handle); return !b.pauses.chance(b.pauses.stall); }

void mho_output(void* handle, uint32_t payload) {
    Bench& b = bench_of(handle);
    if (b.outputs_taken == b.batch.output_count) {
        b.outcome = kTooMany;
        return;
    }
    b.batch.outputs[b.outputs_taken++] = payload;
    b.idle_cycles = 0;
}

void mho_done(void* handle, uint64_t total, uint64_t analog, uint64_t hold) {
    Bench& b = bench_of(handle);
    if (b.dones_seen == b.batch.done_count) {
        b.outcome = kTooMany;
        return;
    }
    uint64_t* row = b.batch.counters + 3 * b.dones_seen++;
    row[0] = total;
    row[1] = analog;
    row[2] = hold;
    b.idle_cycles = 0;
}

// Every cycle, with bits of the core: busy, error, and what is offered and not taken: mask, operation, input. Answers with
// bit 0: the batch has just ended; bit 1: it programs cells; bit 2: mask words are left; bit 3: outputs wait at
// random. Of a batch that has not begun both are not known.
int mho_poll(void* handle, int32_t state) {
    Bench& b = bench_of(handle);
    b.error_seen |= (state & 2) != 0;
    if (!b.active) return 12;
    b.batch_cycles++;
    const Batch& all = b.batch;
    const bool moved = b.ops_sent == all.op_count && b.masks_sent == all.mask_count && b.inputs_sent == all.input_count &&
                       b.outputs_taken == all.output_count && b.dones_seen == all.done_count;
    if (b.outcome == kRunning && moved && !(state & 1) && b.programmed())
        b.outcome = kComplete;
    else if (b.outcome == kRunning && ++b.idle_cycles > all.patience)
        b.outcome = kStuck;
    if (b.outcome == kRunning)
        return (b.programming ? 2 : 0) | (b.masks_sent != all.mask_count ? 4 : 0) | (b.pauses.stall ? 8 : 0);
    b.active = false;
    b.waiting = state >> 2;
    return 13;
}

// Bit 0: start, with these parameters; bit 1: stop; bit 2: read the fault map.
int mho_write_command(void* handle, uint32_t* parameters) {
    Bench& b = bench_of(handle);
    if (!b.started && b.batch_cycles > b.program.start_after) {
        b.started = true;
        for (int w = 0; w < kParameterWords; w++) parameters[w] = b.program.parameters[w];
        return 1;
    }
    const bool stop = b.started && !b.written && b.program.stop_after >= 0 && b.cells_taken >= b.program.stop_after;
    return (stop ? 2 : 0) | (b.written ? 4 : 0);
}

uint8_t mho_next_target(void* handle, uint32_t* payload) {
    Bench& b = bench_of(handle);
    if (!b.started || b.written || b.pauses.chance(b.pauses.gap)) return 0;
    *payload = b.program.targets[b.targets_sent++ % b.program.target_count];
    b.idle_cycles = 0;
    return 1;
}

void mho_cell(void* handle, uint32_t payload) {
    Bench& b = bench_of(handle);
    if (b.cells_taken == b.program.cell_count) {
        b.outcome = kTooMany;
        return;
    }
    b.program.cells[b.cells_taken++] = payload;
    b.idle_cycles = 0;
}

void mho_write_done(void* handle, uint32_t sets, uint32_t resets, uint32_t forms, uint32_t reads, uint32_t pulsed,
                    uint32_t faults, uint32_t write_pass, uint64_t total, uint64_t hold) {
    Bench& b = bench_of(handle);
    const uint64_t values[] = {sets, resets, forms, reads, pulsed, faults, write_pass, total, hold};
    for (int k = 0; k < 9; k++) b.program.counters[k] = values[k];
    b.written = true;
    b.idle_cycles = 0;
}

// Takes the word of the address before the last, gives the next address.
int mho_fault_map(void* handle, uint32_t data) {
    Bench& b = bench_of(handle);
    if (b.map_asked >= kMapLatency && b.map_asked - kMapLatency < b.program.map_count)
        b.program.map[b.map_asked - kMapLatency] = data;
    return int(b.map_asked++ < b.program.map_count ? b.map_asked - 1 : 0);
}

void* mho_bench_create(const char*) { return &bench; }

// ---- called from sim/core/simulator/shim.py -------------------------------------------------------------------------

Pauses* mho_streams_pauses() { return &bench.pauses; }

void mho_streams_start(const Batch* next) {
    Bench& b = bench;
    b.batch = *next;
    b.ops_sent = b.masks_sent = b.inputs_sent = b.outputs_taken = b.dones_seen = b.idle_cycles = 0;
    b.pauses = {b.batch.seed ? b.batch.seed : 1, b.batch.gap, b.batch.stall, b.batch.hold};
    b.error_seen = b.programming = false;
    b.outcome = kRunning;
    b.active = true;
}

// The batch that is about to start programs cells.
void mho_program_start(const Program* next) {
    Bench& b = bench;
    b.program = *next;
    b.targets_sent = b.cells_taken = b.map_asked = b.batch_cycles = 0;
    b.started = b.written = false;
    b.programming = true;
}

// Mask words, operations and input words that the core has taken, output words and ends of operations that came of it.
void mho_streams_progress(int64_t* counts) {
    const Bench& b = bench;
    const int64_t all[] = {b.masks_sent - (b.waiting & 1), b.ops_sent - (b.waiting >> 1 & 1),
                           b.inputs_sent - (b.waiting >> 2 & 1), b.outputs_taken, b.dones_seen};
    for (int k = 0; k < 5; k++) counts[k] = all[k];
}

int64_t mho_program_cells() { return bench.cells_taken; }

int32_t mho_streams_outcome() { return bench.outcome; }
int32_t mho_streams_error() { return bench.error_seen; }

}  // extern "C"
