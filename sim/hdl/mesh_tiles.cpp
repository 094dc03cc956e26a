// The tiles of a mesh: one model, made from tile_shell.sv and compiled once, with an instance for each tile_proxy.sv.
//
// A tile is evaluated twice a cycle: at the clock edge with what came (step), and with the `ready` of its neighbours, the
// only inputs that reach an output in the same cycle (offer). A tile that waits is not evaluated at all: a model with the
// same inputs is a machine without inputs, so once all of its state is what it was some cycles ago it goes round, whatever
// it polls, and nothing of it is seen outside. It sleeps then, and is brought to the right place of its round when something
// comes. So nothing depends on whether it slept.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vtile.h"
#include "Vtile___024root.h"
#include "port.h"
#include "strobes.h"
#include "tile_ports.h"

extern "C" int32_t mho_host_tracing();

namespace {

constexpr int kPatience = 24;       // cycles in which nothing happened before a round is looked for
constexpr int kMostPatience = 4096;
constexpr int kLongest = 64;        // cycles of the longest round that is looked for
constexpr uint64_t kTick = uint64_t(1) << 63;

using Root = Vtile___024root;

struct Tile {
    Vtile model;
    std::vector<Port> came, coming, takes, offers, offered, ready;  // of the channels, see tile_ports.h
    uint32_t arrived = 0;           // channels on which something came for the next edge
    uint64_t now_ready = 0, taken = 0, offering = 0;
    bool reset = true, asleep = false;
    int patience = kPatience, quiet = 0, round = 0;
    int64_t slept = 0, at = -1, cycle = 0;  // at: cycle of the kept state, -1: none
    size_t differs = 0;             // where the state differed last
    std::unique_ptr<unsigned char[]> kept;

    explicit Tile(VerilatedContext* context, int number, const char* name)
        : model(context, name), came MHO_CAME(model), coming MHO_COMING(model), takes MHO_TAKES(model),
          offers MHO_OFFERS(model), offered MHO_OFFERED(model), ready MHO_READY(model),
          kept(new unsigned char[sizeof(Root)]) {
        model.number = number;
        model.rst = 1;
        model.clk = 0;
        MHO_CONSTANTS(model)
        model.eval();
    }

    const unsigned char* state() const { return reinterpret_cast<const unsigned char*>(model.rootp); }
};

std::vector<std::unique_ptr<Tile>> tiles;

uint64_t pack(const std::vector<Port>& ports) {
    uint64_t all = 0;
    int at = 0;
    for (const Port& port : ports) {
        all |= uint64_t(port.value()) << at;
        at += port.bits;
    }
    return all;
}

void unpack(const std::vector<Port>& ports, uint64_t all) {
    for (const Port& port : ports) {
        port.set(uint32_t(all) & ((1u << port.bits) - 1));
        all >>= port.bits;
    }
}

void fall(Tile& t) {
    if (!t.model.clk) return;
    t.model.clk = 0;
    t.model.eval();
}

void rise(Tile& t) {
    fall(t);
    t.model.clk = 1;
    t.model.eval();
}

// All that a sleeping tile has not done and that its state depends on.
void wake(Tile& t) {
    if (!t.asleep) return;
    t.asleep = false;
    for (int64_t k = t.slept % t.round; k; k--) rise(t);
}

void forget(Tile& t) {
    t.quiet = 0;
    t.at = -1;
}

bool same(Tile& t) {
    const unsigned char* state = t.state();
    if (state[t.differs] != t.kept[t.differs]) return false;
    if (!std::memcmp(state, t.kept.get(), sizeof(Root))) return true;
    while (state[t.differs] == t.kept[t.differs])
        if (++t.differs == sizeof(Root)) t.differs = 0;
    return false;
}

// Whether a tile to which nothing happens goes round.
void look(Tile& t) {
    if (t.at < 0) {
        if (++t.quiet < t.patience) return;
        std::memcpy(t.kept.get(), t.state(), sizeof(Root));
        t.at = t.cycle;
    } else if (same(t)) {
        t.asleep = true;
        t.slept = 0;
        t.round = int(t.cycle - t.at);
        forget(t);
    } else if (t.cycle - t.at == kLongest) {
        forget(t);
        t.patience = std::min(2 * t.patience, kMostPatience);
    }
}

Tile& of(void* handle) { return *static_cast<Tile*>(handle); }

}  // namespace

extern "C" {

// ---- called from tile_proxy.sv --------------------------------------------------------------------------------------

void* mho_tile_create(const char* path) {
    VerilatedContext* of_mesh = Verilated::threadContextp();  // a new context, and a new model, are it from then on
    static VerilatedContext* context = new VerilatedContext;
    const char* name = std::strrchr(path, '.');
    int x = 0, y = 0;
    std::sscanf(name ? name + 1 : path, "tile_%d_%d", &x, &y);
    const int number = y * MHO_COLUMNS + x;
    tiles.push_back(std::make_unique<Tile>(context, number, ("tile_" + std::to_string(number)).c_str()));
    Verilated::threadContextp(of_mesh);
    return tiles.back().get();
}

void mho_tile_arrive(void* handle, int channel, const uint32_t* payload) {
    Tile& t = of(handle);
    t.arrived |= 1u << channel;
    t.coming[channel].put(payload);
}

// The clock edge. Gives `ready` of the channels that come in, and in bit 63 whether `offer` is to be asked again.
uint64_t mho_tile_step(void* handle, uint8_t rst, int place, uint64_t ready) {
    Tile& t = of(handle);
    t.cycle++;
    const bool moved = t.arrived || rst || rst != t.reset || ready != t.now_ready;
    if (t.asleep && !moved) {
        t.slept++;
        return t.taken;
    }
    wake(t);
    fall(t);
    unpack(t.came, t.arrived);
    unpack(t.ready, ready);
    t.model.rst = rst;
    t.model.place = place;
    t.model.tracing = uint8_t(mho_host_tracing());
    const uint64_t noted = mho_strobes;
    rise(t);
    t.arrived = 0;
    t.reset = rst;
    t.now_ready = ready;
    const uint64_t taken = pack(t.takes), offering = pack(t.offers);
    const bool turns = offering || t.offering;
    if (moved || turns || taken != t.taken || noted != mho_strobes) {
        forget(t);
        t.patience = kPatience;
    } else {
        look(t);
    }
    t.taken = taken;
    t.offering = offering;
    return taken | (turns ? kTick : 0);
}

// What it sends to neighbours with this `ready`.
uint64_t mho_tile_offer(void* handle, uint64_t ready, uint8_t) {
    if (!handle) return 0;  // before the proxy has made it
    Tile& t = of(handle);
    if (ready != t.now_ready) {
        wake(t);
        forget(t);
        t.patience = kPatience;
        unpack(t.ready, ready);
        t.now_ready = ready;
        t.model.clk = 0;
        t.model.eval();
        t.offering = pack(t.offers);
    }
    return t.offering;
}

void mho_tile_payload(void* handle, int channel, uint32_t* payload) { of(handle).offered[channel].get(payload); }

}  // extern "C"
