// Tiles whose clock edge one thread takes.
//
// A tile that waits is not evaluated at all: a model with the same inputs is a machine without inputs, so once all of its
// state is what it was some cycles ago it goes round, whatever it polls, and nothing of it is seen outside. It sleeps then,
// and is brought to the right place of its round when something comes. So nothing depends on whether it slept.
//
// What the simulator writes, and what whoever takes an edge does, are in lines of the cache of their own: they are in two
// processors. Of the latter the simulator reads a few words of each group.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vtile.h"
#include "Vtile__Edge.h"
#include "Vtile___024root.h"
#include "port.h"
#include "tile_ports.h"

constexpr int kPatience = 24;       // cycles in which nothing happened before a round is looked for
constexpr int kMostPatience = 4096;
constexpr int kLongest = 64;        // cycles of the longest round that is looked for
constexpr int kMostTiles = 64;      // of a group: bits of a word

using Root = Vtile___024root;
struct Tile;

enum class Turn : int { kDone, kOpen, kTaken };  // no edge is under way; a thread may take it; one does

// All tiles of a group do a part of the edge before any does the next: the code of a part stays in the processor. Of each
// part a word says which of them must run it, since something that it reads has changed; behind them is one of the tiles
// of which something was noted.
struct Group {
    std::vector<Tile*> tiles;
    std::vector<Vtile__Model*> models;
    // By the simulator, a bit of each tile: it has an edge; something came, or its inputs differ; these may have changed.
    alignas(64) uint64_t waiting = 0;
    uint64_t moved = 0, fresh = 0;
    alignas(64) std::atomic<Turn> turn{Turn::kDone};
    // By whoever takes the edge: an edge would change nothing; it goes round; what the tiles take and offer.
    alignas(64) uint64_t rests = 0;
    uint64_t asleep = 0;
    alignas(64) uint64_t taken[kMostTiles] = {};
    alignas(64) uint64_t offering[kMostTiles] = {};
    uint64_t marks[VTILE_PARTS + 1] = {};
};

struct Tile {
    // By the simulator.
    Group* group = nullptr;
    uint64_t bit = 0;               // of it in its group
    int index = 0;
    uint32_t arrived = 0;           // channels on which something came since the last edge
    uint32_t entering = 0;          // and before it
    uint64_t now_ready = 0;
    int64_t slept = 0;              // cycles
    int place = -1;
    uint8_t reset = 1, tracing = 0;
    bool watched = false;           // it is traced
    bool changed = true;            // its inputs have, since it was evaluated

    // By whoever takes its edge.
    alignas(64) int patience = kPatience;
    int quiet = 0, round = 0;
    int64_t at = -1;                // cycle of the kept state, -1: none
    size_t differs = 0;             // where the state differed last
    std::unique_ptr<unsigned char[]> kept;
    Vtile__Seen seen;               // inputs at the edge before
    Vtile model;
    std::vector<Port> came, coming, offered, ready;  // of the channels, see tile_ports.h
    std::vector<Port> inputs, others;                // all inputs, and outputs of no channel: for waves

    explicit Tile(VerilatedContext* context, int number, const char* name)
        : kept(new unsigned char[sizeof(Root)]), model(context, name), came MHO_CAME(model), coming MHO_COMING(model),
          offered MHO_OFFERED(model), ready MHO_READY(model), inputs MHO_INPUTS(model), others MHO_OTHERS(model) {
        model.number = number;
        model.rst = 1;
        model.clk = 0;
        MHO_CONSTANTS(model)
        model.eval();
    }

    const unsigned char* state() const { return reinterpret_cast<const unsigned char*>(model.rootp); }
};

inline int64_t mho_cycle = 0;  // of the mesh

inline void unpack(const std::vector<Port>& ports, uint64_t all) {
    for (const Port& port : ports) {
        port.set(uint32_t(all) & ((1u << port.bits) - 1));
        all >>= port.bits;
    }
}

// All that a sleeping tile has not done and that its state depends on.
inline void wake(Tile& t) {
    Group& group = *t.group;
    if (!(group.asleep & t.bit)) return;
    group.asleep &= ~t.bit;
    for (int64_t k = t.slept % t.round; k; k--) Vtile__edge(group.models.data(), t.bit, 0, group.marks);
    group.marks[VTILE_PARTS] &= ~t.bit;
    t.slept = 0;
}

inline void forget(Tile& t) {
    t.quiet = 0;
    t.at = -1;
}

inline bool same(Tile& t) {
    const unsigned char* state = t.state();
    if (state[t.differs] != t.kept[t.differs]) return false;
    if (!std::memcmp(state, t.kept.get(), sizeof(Root))) return true;
    while (state[t.differs] == t.kept[t.differs])
        if (++t.differs == sizeof(Root)) t.differs = 0;
    return false;
}

// Whether a tile to which nothing happens goes round. One that is traced must stand still, and no clock may change in it but
// its own.
inline void look(Tile& t) {
    if (t.at < 0) {
        if (++t.quiet < t.patience) return;
        std::memcpy(t.kept.get(), t.state(), sizeof(Root));
        t.at = mho_cycle;
    } else if (same(t) && (!t.watched || (mho_cycle - t.at == 1 && !MHO_GATED))) {
        t.group->asleep |= t.bit;
        t.round = int(mho_cycle - t.at);
        forget(t);
    } else if (mho_cycle - t.at == kLongest) {
        forget(t);
        t.patience = std::min(2 * t.patience, kMostPatience);
    }
}

// Before the clock edge: what was put into the tile.
inline void enter(Tile& t) {
    wake(t);
    unpack(t.came, t.entering);
    unpack(t.ready, t.now_ready);
    t.model.rst = t.reset;
    t.model.place = t.place;
    t.model.tracing = t.tracing;
    Vtile__look(t.model, t.seen, t.group->marks, t.bit);
}

// Behind the clock edge: what it did.
inline void leave(Tile& t, bool happened) {
    Group& group = *t.group;
    const uint64_t taken = MHO_PACKED_TAKES(*t.model.rootp), offering = MHO_PACKED_OFFERS(*t.model.rootp);
    if (happened || offering || group.offering[t.index] || taken != group.taken[t.index]) {
        forget(t);
        t.patience = kPatience;
    } else {
        look(t);
    }
    group.taken[t.index] = taken;
    group.offering[t.index] = offering;
}

// The clock edge of the tiles of a group that wait for it. Whichever thread does it is the only one at them.
inline void edge(Group& group) {
    const uint64_t which = group.waiting, fresh = group.fresh;
    for (uint64_t left = fresh; left; left &= left - 1) enter(*group.tiles[__builtin_ctzll(left)]);
    Vtile__edge(group.models.data(), which, fresh, group.marks);
    const uint64_t happened = group.moved | group.marks[VTILE_PARTS];
    group.marks[VTILE_PARTS] = 0;
    uint64_t busy = VTILE_PARTS ? 0 : which;  // some part would be run at the next edge
    for (int k = VTILE_FIRST; k < VTILE_PARTS; k++) busy |= group.marks[k];
    group.rests = (group.rests & ~which) | (which & ~busy);
    for (uint64_t left = which; left; left &= left - 1) {
        Tile& t = *group.tiles[__builtin_ctzll(left)];
        leave(t, happened & t.bit);
    }
    group.waiting = group.moved = group.fresh = 0;
}
