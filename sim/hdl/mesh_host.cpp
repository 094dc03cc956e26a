// The host of a mesh of tiles, behind mesh_bench.sv: it writes over the register bus, sends the blocks of images and takes
// those of results, counts credits as an interface does, and reads what it wants to know at the end. Beside that it notes
// what the bench sees inside of tiles: operations of cores and the words that come of them, and, where somebody asks, when
// instructions retire and who is at work (tile_notes.sv). A job is a few arrays that Python owns (sim/tile_networks/host.py).
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "strobes.h"

namespace {

constexpr int kResetCycles = 16;
constexpr int kSettle = 400;  // from the last write to the first flit: tiles wait for it, as in hw/tile/timing/mesh.py
constexpr int kFlows = 16, kTags = 256, kTiles = 256;

// Blocks of one flow of the host, all of one size. Mirrored by sim/tile_networks/host.py.
struct Source {
    const uint32_t* flits;   // words of each
    int64_t blocks, ready;   // ready: those that may be sent from the start, see mho_host_allow
    int32_t block_flits, members, flow, pad;
};

// What comes with a tag. Mirrored by sim/tile_networks/host.py.
struct Sink {
    uint32_t* words;         // payloads
    uint64_t* cycles;        // of each flit
    int64_t flits;
    int32_t tag, heard;      // heard: flits after which Python is woken, each time, 0: never
};

struct Job {
    const uint32_t* requests;  // three words each: address, data and kind, see Kind; those of the end are last
    uint32_t* answers;         // of all requests but writes
    const Source* sources;
    const Sink* sinks;
    int64_t request_count, end_count, source_count, sink_count;
    int64_t patience;          // cycles without a flit, an answer or an instruction after which all counts as stuck
    int64_t report;            // cycles after which Python hears of it
    int32_t send_words, body_words, address_bits, payload_words, credit_tag, tracing;
};

// A wait reads until the word has a bit of the data.
enum Kind : uint32_t { kRead = 0, kWrite = 1, kWait = 2 };
enum Outcome : int32_t { kIdle = 0, kRunning = 1, kComplete = 2, kStuck = 3, kRefused = 4 };
enum Phase : int32_t { kReset, kSetUp, kRun, kEnd, kOver };

struct Event {
    uint64_t cycle;
    uint32_t tile, value;
};

struct Tile {
    std::vector<uint64_t> ops;
    std::vector<uint32_t> words;
};

struct Host {
    Job job{};
    Phase phase = kOver;
    Outcome outcome = kIdle;
    int64_t cycle = 0, phase_cycle = 0, idle = 0, requests_sent = 0, answers = 0, first_flit = -1;
    int64_t lost = 0, errors = 0, unknown = 0;
    bool waiting = false, hears = false;
    std::atomic<bool> retires{false};        // set by the threads of tiles
    std::vector<int64_t> sent, sink_flits;   // flits of each source; of each sink
    std::vector<int64_t> ready;              // blocks of each source that may be sent
    std::vector<int> credits;                // of source s for even and odd blocks: what is missing
    int turn = 0;
    int sink_of[kTags], source_of[kFlows];
    int64_t sources_left = 0, sinks_left = 0;
    Tile tiles[kTiles];
    std::vector<Event> retired, states;
};

std::unique_ptr<Host> host;

Host& of(void* handle) { return *static_cast<Host*>(handle); }

void begin(Host& h, Phase phase) {
    h.phase = phase;
    h.phase_cycle = h.idle = 0;
}

int64_t set_up(const Job& j) { return j.request_count - j.end_count; }

bool may_send(const Host& h, int s) {
    const Source& one = h.job.sources[s];
    const int64_t block = h.sent[s] / one.block_flits;
    return block < h.ready[s] && (h.sent[s] % one.block_flits || !h.credits[2 * s + (block & 1)]);
}

}  // namespace

extern "C" {

// ---- called from mesh_bench.sv --------------------------------------------------------------------------------------

void* mho_host_create(const char*) {
    host = std::make_unique<Host>();
    return host.get();
}

// Every cycle. Bit 0: Python is woken; 1: reset; 2: a request goes out; 3: flits may go; 4: tracing.
int mho_host_poll(void* handle) {
    Host& h = of(handle);
    if (h.phase == kOver) return 0;
    const int tracing = h.job.tracing ? 16 : 0;
    h.cycle++;
    h.phase_cycle++;
    h.idle = h.retires ? 0 : h.idle + 1;
    h.retires = false;
    bool wake = h.cycle % h.job.report == 0 || h.hears;
    h.hears = false;
    if (h.phase == kReset) {
        if (h.phase_cycle < kResetCycles) return 2 | tracing;
        if (h.phase_cycle == 2 * kResetCycles) begin(h, kSetUp);
        return tracing;
    }
    if (h.phase == kSetUp && h.requests_sent == set_up(h.job) && !h.waiting) {
        if (h.phase_cycle > 0) h.phase_cycle = -kSettle;
        if (h.phase_cycle == 0) begin(h, kRun);
    } else if (h.phase == kRun && (!h.sinks_left || h.idle > h.job.patience)) {
        h.outcome = h.sinks_left ? kStuck : kComplete;
        begin(h, kEnd);
    } else if (h.phase == kEnd && h.requests_sent == h.job.request_count && !h.waiting) {
        begin(h, kOver);
        wake = true;
    } else if ((h.phase == kSetUp || h.phase == kEnd) && h.idle > h.job.patience) {
        h.outcome = kRefused;
        begin(h, kOver);
        wake = true;
    }
    const int64_t all = h.phase == kEnd ? h.job.request_count : set_up(h.job);
    const bool asks = (h.phase == kSetUp || h.phase == kEnd) && !h.waiting && h.requests_sent < all;
    return int(wake) | (asks ? 4 : 0) | (h.phase == kRun && h.sources_left ? 8 : 0) | tracing;
}

uint8_t mho_host_request(void* handle, uint32_t* payload) {
    Host& h = of(handle);
    const uint32_t* one = h.job.requests + 3 * h.requests_sent++;
    // Word address, direction, data, bytes.
    unsigned __int128 bits = one[0] >> 2;
    int at = h.job.address_bits - 2;
    if (one[2] == kWrite) bits |= (static_cast<unsigned __int128>(one[1]) << 1 | 1) << at;
    bits |= static_cast<unsigned __int128>(15) << (at + 33);
    std::memcpy(payload, &bits, 16);
    h.waiting = true;
    return 1;
}

void mho_host_response(void* handle, uint32_t data, uint8_t error) {
    Host& h = of(handle);
    const uint32_t* one = h.job.requests + 3 * (h.requests_sent - 1);
    h.waiting = false;
    h.errors += error;
    if (one[2] == kWait && !error && !(data & one[1])) {
        h.requests_sent--;  // once more, and that is no progress
        return;
    }
    h.idle = 0;
    if (one[2] != kWrite) h.job.answers[h.answers++] = data;
}

uint8_t mho_host_send(void* handle, uint32_t* payload) {
    Host& h = of(handle);
    std::memset(payload, 0, 32);  // all of it, so that waves hold nothing that was in memory
    const int count = int(h.job.source_count);
    for (int k = 0; k < count; k++) {
        const int s = (h.turn + k) % count;
        if (!may_send(h, s)) continue;
        const Source& one = h.job.sources[s];
        const int64_t at = h.sent[s]++, block = at / one.block_flits;
        if (at % one.block_flits == 0) h.credits[2 * s + (block & 1)] = one.members;
        if (h.first_flit < 0) h.first_flit = h.cycle;
        std::memcpy(payload, one.flits + at * h.job.send_words, 4 * h.job.send_words);
        h.turn = h.sent[s] % one.block_flits ? s : s + 1;
        if (h.sent[s] == one.blocks * one.block_flits) h.sources_left--;
        h.idle = 0;
        return 1;
    }
    return 0;
}

void mho_host_receive(void* handle, const uint32_t* payload) {
    Host& h = of(handle);
    const Job& j = h.job;
    const int words = j.payload_words;
    const uint32_t tag = payload[words] & (kTags - 1);
    h.idle = 0;
    if (int32_t(tag) == j.credit_tag) {
        const int s = h.source_of[payload[0] & (kFlows - 1)];
        const int odd = payload[0] >> 4 & 1;
        if (s < 0 || !h.credits[2 * s + odd])
            h.unknown++;
        else
            h.credits[2 * s + odd]--;
        return;
    }
    const int s = h.sink_of[tag];
    if (s < 0 || h.sink_flits[s] == j.sinks[s].flits) {
        h.unknown++;
        return;
    }
    const int64_t at = h.sink_flits[s]++;
    std::memcpy(j.sinks[s].words + at * words, payload, 4 * words);
    j.sinks[s].cycles[at] = h.cycle;
    h.hears |= j.sinks[s].heard && h.sink_flits[s] % j.sinks[s].heard == 0;
    if (h.sink_flits[s] == j.sinks[s].flits) h.sinks_left--;
}

void mho_host_lost(void* handle) { of(handle).lost++; }

// ---- called from tile_notes.sv --------------------------------------------------------------------------------------

void mho_host_op(int tile, uint64_t op_id) {
    mho_strobes++;
    host->tiles[tile].ops.push_back(op_id);
}

void mho_host_word(int tile, uint32_t word) {
    mho_strobes++;
    host->tiles[tile].words.push_back(word);
}

void mho_host_retire(int tile, uint32_t pc) {
    Host& h = *host;
    mho_strobes++;
    h.retires = true;
    if (h.job.tracing) h.retired.push_back({uint64_t(h.cycle), uint32_t(tile), pc});
}

// Who is at work in a tile, when that changes.
void mho_host_state(int tile, int state) {
    mho_strobes++;
    host->states.push_back({uint64_t(host->cycle), uint32_t(tile), uint32_t(state)});
}

// ---- called from mesh_tiles.cpp -------------------------------------------------------------------------------------

int32_t mho_host_tracing() { return host && host->job.tracing; }

// ---- called from sim/tile_networks/host.py --------------------------------------------------------------------------

void mho_host_start(const Job* next) {
    Host& h = *host;
    h.job = *next;
    h.cycle = h.requests_sent = h.answers = h.lost = h.errors = h.unknown = 0;
    h.first_flit = -1;
    h.waiting = h.retires = h.hears = false;
    h.turn = 0;
    h.outcome = kRunning;
    h.sources_left = h.sinks_left = 0;
    h.sent.assign(next->source_count, 0);
    h.ready.assign(next->source_count, 0);
    h.sink_flits.assign(next->sink_count, 0);
    h.credits.assign(2 * next->source_count, 0);
    for (int& s : h.sink_of) s = -1;
    for (int& s : h.source_of) s = -1;
    for (int s = 0; s < next->source_count; s++) {
        h.source_of[next->sources[s].flow & (kFlows - 1)] = s;
        h.ready[s] = next->sources[s].ready;
        h.sources_left += next->sources[s].blocks > 0;
    }
    for (int s = 0; s < next->sink_count; s++) {
        h.sink_of[next->sinks[s].tag & (kTags - 1)] = s;
        h.sinks_left += next->sinks[s].flits > 0;
    }
    for (Tile& tile : h.tiles) {
        tile.ops.clear();
        tile.words.clear();
    }
    h.retired.clear();
    h.states.clear();
    begin(h, kReset);
}

// More blocks of a source may be sent: all up to a number.
void mho_host_allow(int32_t source, int64_t blocks) { host->ready.at(source) = blocks; }

// Outcome, whether it goes on, cycles, cycle of the first flit, flits lost, errors on the bus, unknown flits.
void mho_host_progress(int64_t* numbers) {
    const Host& h = *host;
    const int64_t all[] = {h.outcome, h.phase != kOver, h.cycle, h.first_flit, h.lost, h.errors, h.unknown};
    for (int k = 0; k < 7; k++) numbers[k] = all[k];
}

int64_t mho_host_arrived(int32_t sink) { return host->sink_flits.at(sink); }
int64_t mho_host_ops(int32_t tile, const uint64_t** found) {
    *found = host->tiles[tile].ops.data();
    return int64_t(host->tiles[tile].ops.size());
}
int64_t mho_host_words(int32_t tile, const uint32_t** found) {
    *found = host->tiles[tile].words.data();
    return int64_t(host->tiles[tile].words.size());
}
int64_t mho_host_events(int32_t states, const Event** found) {
    const std::vector<Event>& events = states ? host->states : host->retired;
    *found = events.data();
    return int64_t(events.size());
}

}  // extern "C"
