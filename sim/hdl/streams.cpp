// Feeder and catcher of core_tb.sv: one batch is a few arrays that Python owns, moved word by word in C++.
#include <cstdint>

namespace {

constexpr int kOpWords = 4;  // an operation descriptor, padded to words of 32 bits

// One batch. Mirrored by sim/core/shim.py; the arrays stay valid until the batch has ended.
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

// A run of write-verify within a batch. Mirrored by sim/core/shim.py.
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

Batch batch{};
int64_t ops_sent, masks_sent, inputs_sent, outputs_taken, dones_seen, idle_cycles;
Outcome outcome = kIdle;
bool error_seen = false;
uint32_t random_state = 1;

Program program{};
bool programming = false, started = false, written = false;
int64_t targets_sent, cells_taken, map_asked, batch_cycles;

// Everything of the run has come back, the fault map at last.
bool programmed() { return !programming || (written && map_asked >= program.map_count + kMapLatency); }

bool chance(int32_t of_256) {
    if (!of_256) return false;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return int32_t(random_state >> 24) < of_256;
}

}  // namespace

extern "C" {

// ---- called from core_tb.sv ---------------------------------------------------------------------------------------

uint8_t mho_next_op(uint32_t* payload) {
    if (ops_sent == batch.op_count || masks_sent != batch.mask_count || chance(batch.gap)) return 0;
    for (int w = 0; w < kOpWords; w++) payload[w] = batch.ops[kOpWords * ops_sent + w];
    ops_sent++;
    idle_cycles = 0;
    return 1;
}

uint8_t mho_next_mask(uint32_t* address, uint32_t* data) {
    if (masks_sent == batch.mask_count || chance(batch.gap)) return 0;
    *address = batch.masks[2 * masks_sent];
    *data = batch.masks[2 * masks_sent + 1];
    masks_sent++;
    idle_cycles = 0;
    return 1;
}

uint8_t mho_next_input(uint32_t* payload) {
    if (inputs_sent == batch.input_count || chance(batch.gap)) return 0;
    *payload = batch.inputs[inputs_sent++];
    idle_cycles = 0;
    return 1;
}

uint8_t mho_ready() { return !chance(batch.stall); }

uint8_t mho_hold() { return chance(batch.hold); }

void mho_output(uint32_t payload) {
    if (outputs_taken == batch.output_count) {
        outcome = kTooMany;
        return;
    }
    batch.outputs[outputs_taken++] = payload;
    idle_cycles = 0;
}

void mho_done(uint64_t total, uint64_t analog, uint64_t hold) {
    if (dones_seen == batch.done_count) {
        outcome = kTooMany;
        return;
    }
    uint64_t* row = batch.counters + 3 * dones_seen++;
    row[0] = total;
    row[1] = analog;
    row[2] = hold;
    idle_cycles = 0;
}

// Every cycle. Bit 0: the batch has just ended; bit 1: it programs cells.
int mho_poll(uint8_t busy, uint8_t error) {
    error_seen |= error != 0;
    if (outcome != kRunning) return outcome == kTooMany;
    batch_cycles++;
    const bool moved = ops_sent == batch.op_count && masks_sent == batch.mask_count && inputs_sent == batch.input_count &&
                       outputs_taken == batch.output_count && dones_seen == batch.done_count;
    if (moved && !busy && programmed())
        outcome = kComplete;
    else if (++idle_cycles > batch.patience)
        outcome = kStuck;
    return outcome != kRunning ? 1 : programming ? 2 : 0;
}

// Bit 0: start, with these parameters; bit 1: stop; bit 2: read the fault map.
int mho_write_command(uint32_t* parameters) {
    if (!started && batch_cycles > program.start_after) {
        started = true;
        for (int w = 0; w < kParameterWords; w++) parameters[w] = program.parameters[w];
        return 1;
    }
    const bool stop = started && !written && program.stop_after >= 0 && cells_taken >= program.stop_after;
    return (stop ? 2 : 0) | (written ? 4 : 0);
}

uint8_t mho_next_target(uint32_t* payload) {
    if (!started || written || chance(batch.gap)) return 0;
    *payload = program.targets[targets_sent++ % program.target_count];
    idle_cycles = 0;
    return 1;
}

void mho_cell(uint32_t payload) {
    if (cells_taken == program.cell_count) {
        outcome = kTooMany;
        return;
    }
    program.cells[cells_taken++] = payload;
    idle_cycles = 0;
}

void mho_write_done(uint32_t sets, uint32_t resets, uint32_t forms, uint32_t reads, uint32_t pulsed, uint32_t faults,
                    uint32_t write_pass, uint64_t total, uint64_t hold) {
    const uint64_t values[] = {sets, resets, forms, reads, pulsed, faults, write_pass, total, hold};
    for (int k = 0; k < 9; k++) program.counters[k] = values[k];
    written = true;
    idle_cycles = 0;
}

// Takes the word of the address before the last, gives the next address.
int mho_fault_map(uint32_t data) {
    if (map_asked >= kMapLatency && map_asked - kMapLatency < program.map_count)
        program.map[map_asked - kMapLatency] = data;
    return int(map_asked++ < program.map_count ? map_asked - 1 : 0);
}

// ---- called from sim/core/shim.py --------------------------------------------------------------------------------------

void mho_streams_start(const Batch* next) {
    batch = *next;
    ops_sent = masks_sent = inputs_sent = outputs_taken = dones_seen = idle_cycles = 0;
    random_state = batch.seed ? batch.seed : 1;
    error_seen = programming = false;
    outcome = kRunning;
}

// The batch that is about to start programs cells.
void mho_program_start(const Program* next) {
    program = *next;
    targets_sent = cells_taken = map_asked = batch_cycles = 0;
    started = written = false;
    programming = true;
}

int64_t mho_program_cells() { return cells_taken; }

int32_t mho_streams_outcome() { return outcome; }
int32_t mho_streams_error() { return error_seen; }
int64_t mho_streams_outputs() { return outputs_taken; }
int64_t mho_streams_dones() { return dones_seen; }

}  // extern "C"
