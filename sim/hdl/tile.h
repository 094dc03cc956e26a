// A tile of a mesh, and a group of tiles, as those see them who need not know their kind: what the simulator writes and asks.
//
// What the simulator writes, and what whoever takes an edge does, are in lines of the cache of their own: they are in two
// processors. Of the latter the simulator reads a few words of each group.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "port.h"

constexpr int kPatience = 24;       // cycles in which nothing happened before a round is looked for
constexpr int kMostPatience = 4096;
constexpr int kLongest = 64;        // cycles of the longest round that is looked for
constexpr int kMostTiles = 64;      // of a group: bits of a word

struct Group;

enum class Turn : int { kDone, kOpen, kTaken };  // no edge is under way; a thread may take it; one does

struct Tile {
    // By the simulator.
    Group* group = nullptr;
    uint64_t bit = 0;               // of it in its group
    int index = 0;
    int number = 0;
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

    // Of its model.
    uint8_t* clk = nullptr;
    std::vector<Port> came, coming, offered, ready;  // of the channels, see tile_ports.h
    std::vector<Port> inputs, others;                // all inputs, and outputs of no channel: for waves

    virtual ~Tile() = default;
};

// Tiles of one kind. All of them do a part of the edge before any does the next: the code of a part stays in the processor.
struct Group {
    std::vector<Tile*> tiles;
    // By the simulator, a bit of each tile: it has an edge; something came, or its inputs differ; these may have changed.
    alignas(64) uint64_t waiting = 0;
    uint64_t moved = 0, fresh = 0;
    alignas(64) std::atomic<Turn> turn{Turn::kDone};
    // By whoever takes the edge: an edge would change nothing; it goes round; what the tiles take and offer.
    alignas(64) uint64_t rests = 0;
    uint64_t asleep = 0;
    alignas(64) uint64_t taken[kMostTiles] = {};
    alignas(64) uint64_t offering[kMostTiles] = {};

    virtual ~Group() = default;
    virtual void add(Tile& tile) = 0;
    // The clock edge of those that wait for it. Whichever thread does it is the only one at them.
    virtual void edge() = 0;
    // All that a sleeping tile has not done and that its state depends on.
    virtual void wake(Tile& tile) = 0;
    // What a tile sends with another `ready` of its neighbours.
    virtual void offer(Tile& tile, uint64_t ready) = 0;
};

inline int64_t mho_cycle = 0;  // of the mesh

inline void unpack(const std::vector<Port>& ports, uint64_t all) {
    for (const Port& port : ports) {
        port.set(uint32_t(all) & ((1u << port.bits) - 1));
        all >>= port.bits;
    }
}

inline void forget(Tile& t) {
    t.quiet = 0;
    t.at = -1;
}
