// The tiles of a mesh: of each kind one model, made from tile_shell.sv and compiled once, with an instance for each
// tile_proxy.sv.
//
// A tile is evaluated twice a cycle: at the clock edge with what came (step), and with the `ready` of its neighbours, the
// only inputs that reach an output in the same cycle (offer). Within a cycle tiles know nothing of each other, so that several
// threads may take their edges; what comes of an edge is asked for when all are under way. How one is taken, and when it
// need not be: tile_group.h; by whom: tile_crew.h.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tile_crew.h"
#include "tile_group.h"
#if VM_TRACE
#include "tile_waves.h"
#endif

extern "C" int32_t mho_host_tracing();

namespace {

std::vector<std::unique_ptr<Tile>> tiles;
VerilatedContext* context = nullptr;  // of all tiles
Crew crew;

// What makes tiles and groups of a kind.
struct Maker {
    std::unique_ptr<Tile> (*tile)(int number, const char* name);
    std::unique_ptr<Group> (*group)();
#if VM_TRACE
    void (*watch)(Tile& tile, VerilatedTraceBaseC* file);
#endif
};

template <class Kind>
constexpr Maker maker() {
    return {
        [](int number, const char* name) -> std::unique_ptr<Tile> {
            return std::make_unique<TileOf<Kind>>(context, number, name);
        },
        []() -> std::unique_ptr<Group> { return std::make_unique<GroupOf<Kind>>(); },
#if VM_TRACE
        [](Tile& tile, VerilatedTraceBaseC* file) { watch(static_cast<TileOf<Kind>&>(tile), file); },
#endif
    };
}

constexpr Maker kMakers[] = MHO_KINDS(maker);
constexpr int kKindOf[MHO_TILES] = MHO_KIND_OF;  // by number

// Neighbours, which are at work together, are in different groups.
void put_together(const std::vector<Tile*>& some, const Maker& kind, size_t count) {
    const size_t first = crew.groups.size();
    count = std::max(count, (some.size() + kMostTiles - 1) / kMostTiles);
    for (size_t k = 0; k < count; k++) crew.groups.push_back(kind.group());
    for (size_t k = 0; k < some.size(); k++) {
        Tile& t = *some[k];
        Group& group = *crew.groups[first + k % count];
        const int index = int(group.tiles.size());
        const uint64_t bit = uint64_t(1) << index;
        if (t.group) {
            group.taken[index] = t.group->taken[t.index];
            group.offering[index] = t.group->offering[t.index];
            if (t.group->asleep & t.bit) group.asleep |= bit;
        }
        t.group = &group;
        t.index = index;
        t.bit = bit;
        group.tiles.push_back(&t);
        group.add(t);
    }
}

// About so many groups, which each kind has a share of.
void make_groups(size_t count) {
    std::vector<std::unique_ptr<Group>> before;
    before.swap(crew.groups);
    for (size_t kind = 0; kind < std::size(kMakers); kind++) {
        std::vector<Tile*> some;
        for (const auto& tile : tiles)
            if (kKindOf[tile->number] == int(kind)) some.push_back(tile.get());
        put_together(some, kMakers[kind], std::max(size_t(1), count * some.size() / tiles.size()));
    }
}

Tile& of(void* handle) { return *static_cast<Tile*>(handle); }

Tile& make(int number) {
    VerilatedContext* of_mesh = Verilated::threadContextp();  // a new context, and a new model, are it from then on
    if (!context) context = new VerilatedContext;
    tiles.push_back(kMakers[kKindOf[number]].tile(number, ("tile_" + std::to_string(number)).c_str()));
    Verilated::threadContextp(of_mesh);
    return *tiles.back();
}

#if VM_TRACE
// Before the file is opened, which is before the proxies ask for their tiles.
const bool asked = [] {
    Verilated::defaultContextp()->traceBaseModelCbAdd([](VerilatedTraceBaseC* file, int, int) {
        for (int number = 0; number < MHO_TILES; number++) {
            Tile& t = make(number);
            if (wanted(number)) kMakers[kKindOf[number]].watch(t, file);
        }
    });
    return true;
}();
#endif

}  // namespace

extern "C" {

// ---- called from tile_proxy.sv --------------------------------------------------------------------------------------

void* mho_tile_create(const char* path) {
    const char* name = std::strrchr(path, '.');
    int x = 0, y = 0;
    std::sscanf(name ? name + 1 : path, "tile_%d_%d", &x, &y);
    const int number = y * MHO_COLUMNS + x;
    for (const auto& tile : tiles)
        if (tile->number == number) return tile.get();
    return &make(number);
}

void mho_tile_arrive(void* handle, int channel, const uint32_t* payload) {
    Tile& t = of(handle);
    t.arrived |= 1u << channel;
    t.coming[channel].put(payload);
}

// The clock edge. Whether there is one: a tile that sleeps has none, and its outputs stay.
uint8_t mho_tile_step(void* handle, uint8_t rst, int place, uint64_t ready) {
    Tile& t = of(handle);
    if (!t.group) make_groups(1);
    if (&t == tiles.front().get()) mho_cycle++;
    Group& group = *t.group;
    const bool moved = t.arrived || rst || rst != t.reset || ready != t.now_ready;
    if ((group.asleep & t.bit) && !moved) {
        t.slept++;
        if (t.watched) *t.clk = 1;
        return 0;
    }
    const uint8_t tracing = uint8_t(mho_host_tracing());
    // What came before has gone, so that inputs change once more.
    const bool fresh = moved || t.entering || tracing != t.tracing || place != t.place;
    if ((group.rests & t.bit) && !fresh) return 0;
    if (fresh) {
        t.entering = t.arrived;
        t.arrived = 0;
        t.now_ready = ready;
        t.reset = rst;
        t.place = place;
        t.tracing = tracing;
        group.fresh |= t.bit;
        if (moved) group.moved |= t.bit;
    }
    if (tracing) {  // what is traced is noted in the order of the tiles
        group.waiting = t.bit;
        group.edge();
    } else {
        if (!group.waiting) crew.waiting.push_back(&group);
        group.waiting |= t.bit;
    }
    return 1;
}

// `ready` of the channels that come in, after the edge.
uint64_t mho_tile_taken(void* handle, uint8_t) {
    if (!handle || !of(handle).group) return 0;  // before the proxy has made it, or all of them
    Tile& t = of(handle);
    crew.finish(*t.group);
    return t.group->taken[t.index];
}

// What it sends to neighbours with this `ready`.
uint64_t mho_tile_offer(void* handle, uint64_t ready, uint8_t) {
    if (!handle) return 0;
    Tile& t = of(handle);
    if (!t.group) make_groups(1);
    Group& group = *t.group;
    crew.finish(group);
    if (ready != t.now_ready) group.offer(t, ready);
    return group.offering[t.index];
}

// How many threads take the edges of tiles, that of the simulator among them. Between jobs.
void mho_tiles_threads(int32_t threads) {
    constexpr size_t kShares = 2;    // of each thread, since tiles take unequal time
    constexpr size_t kTogether = 2;  // fewest tiles of a group
    crew.resize(threads - 1, context);
    make_groups(threads == 1 ? 1 : std::max(size_t(1), std::min(threads * kShares, tiles.size() / kTogether)));
}

void mho_tile_payload(void* handle, int channel, uint32_t* payload) { of(handle).offered[channel].get(payload); }

#if VM_TRACE
void mho_tile_wide_input(void* handle, int port, const uint32_t* value) {
    if (!handle || !of(handle).watched) return;
    Tile& t = of(handle);
    if (t.group) crew.finish(*t.group);
    if (!t.inputs[port].differs(value)) return;
    if (t.group) t.group->wake(t);
    forget(t);
    t.changed = true;
    t.inputs[port].put(value);
}

void mho_tile_input(void* handle, int port, uint64_t value) {
    const uint32_t words[] = {uint32_t(value), uint32_t(value >> 32)};
    mho_tile_wide_input(handle, port, words);
}

void mho_tile_wide_output(void* handle, int port, uint8_t, uint32_t* value) {
    if (!handle) return;
    Tile& t = of(handle);
    if (t.group) crew.finish(*t.group);
    t.others[port].get(value);
}

uint64_t mho_tile_output(void* handle, int port, uint8_t tick) {
    uint32_t words[2] = {};
    mho_tile_wide_output(handle, port, tick, words);
    return uint64_t(words[1]) << 32 | words[0];
}

void mho_tile_fall(void* handle) { *of(handle).clk = 0; }
#endif

}  // extern "C"
