// Feeder and catcher of core_tb.sv: one batch is a few arrays that Python owns, moved word by word in C++.
#include <cstdint>

namespace {

constexpr int kOpWords = 4;  // an operation descriptor, padded to words of 32 bits

// One batch. Mirrored by sim/shim.py; the arrays stay valid until the batch has ended.
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

enum Outcome : int32_t { kIdle = 0, kRunning = 1, kComplete = 2, kStuck = 3, kTooMany = 4 };

Batch batch{};
int64_t ops_sent, masks_sent, inputs_sent, outputs_taken, dones_seen, idle_cycles;
Outcome outcome = kIdle;
bool error_seen = false;
uint32_t random_state = 1;

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

// Every cycle: 1 when the batch has just ended.
uint8_t mho_poll(uint8_t busy, uint8_t error) {
    error_seen |= error != 0;
    if (outcome != kRunning) return outcome == kTooMany;
    const bool moved = ops_sent == batch.op_count && masks_sent == batch.mask_count && inputs_sent == batch.input_count &&
                       outputs_taken == batch.output_count && dones_seen == batch.done_count;
    if (moved && !busy)
        outcome = kComplete;
    else if (++idle_cycles > batch.patience)
        outcome = kStuck;
    return outcome != kRunning;
}

// ---- called from sim/shim.py --------------------------------------------------------------------------------------

void mho_streams_start(const Batch* next) {
    batch = *next;
    ops_sent = masks_sent = inputs_sent = outputs_taken = dones_seen = idle_cycles = 0;
    random_state = batch.seed ? batch.seed : 1;
    error_seen = false;
    outcome = kRunning;
}

int32_t mho_streams_outcome() { return outcome; }
int32_t mho_streams_error() { return error_seen; }
int64_t mho_streams_outputs() { return outputs_taken; }
int64_t mho_streams_dones() { return dones_seen; }

}  // extern "C"
