// Tiles of one kind whose clock edge one thread takes. A kind is a model that Verilator made (sim/build/parts/files.py).
//
// A tile that waits is not evaluated at all: a model with the same inputs is a machine without inputs, so once all of its
// state is what it was some cycles ago it goes round, whatever it polls, and nothing of it is seen outside. It sleeps then,
// and is brought to the right place of its round when something comes. So nothing depends on whether it slept.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "tile.h"
#include "tile_ports.h"

template <class Kind>
struct TileOf : Tile {
    typename Kind::Seen seen;  // inputs at the edge before
    typename Kind::Model model;

    TileOf(VerilatedContext* context, int of_mesh, const char* name) : model(context, name) {
        number = of_mesh;
        kept.reset(new unsigned char[sizeof(typename Kind::Root)]);
        clk = &model.clk;
        came = MHO_CAME(model);
        coming = MHO_COMING(model);
        offered = MHO_OFFERED(model);
        ready = MHO_READY(model);
        inputs = MHO_INPUTS(model);
        others = MHO_OTHERS(model);
        model.number = number;
        model.rst = 1;
        model.clk = 0;
        MHO_CONSTANTS(model)
        model.eval();
    }

    const unsigned char* state() const { return reinterpret_cast<const unsigned char*>(model.rootp); }
};

// Of each part of an edge a word says which tiles must run it, since something that it reads has changed; behind them is one
// of the tiles of which something was noted.
template <class Kind>
struct GroupOf final : Group {
    using Its = TileOf<Kind>;

    std::vector<typename Kind::Part*> models;
    uint64_t marks[Kind::kParts + 1] = {};

    void add(Tile& tile) override {
        Its& t = its(tile);
        models.push_back(Kind::part(t.model));
        Kind::begin(t.model, t.seen, marks, t.bit);
    }

    void edge() override {
        const uint64_t which = waiting, changed = fresh;
        for (uint64_t left = changed; left; left &= left - 1) enter(its(*tiles[__builtin_ctzll(left)]));
        Kind::edge(models.data(), which, changed, marks);
        const uint64_t happened = moved | marks[Kind::kParts];
        marks[Kind::kParts] = 0;
        uint64_t busy = Kind::kParts ? 0 : which;  // some part would be run at the next edge
        for (int k = Kind::kFirst; k < Kind::kParts; k++) busy |= marks[k];
        rests = (rests & ~which) | (which & ~busy);
        for (uint64_t left = which; left; left &= left - 1) {
            Its& t = its(*tiles[__builtin_ctzll(left)]);
            leave(t, happened & t.bit);
        }
        waiting = moved = fresh = 0;
    }

    void wake(Tile& t) override {
        if (!(asleep & t.bit)) return;
        asleep &= ~t.bit;
        for (int64_t k = t.slept % t.round; k; k--) Kind::edge(models.data(), t.bit, 0, marks);
        marks[Kind::kParts] &= ~t.bit;
        t.slept = 0;
    }

    void offer(Tile& tile, uint64_t ready) override {
        Its& t = its(tile);
        wake(t);
        forget(t);
        t.patience = kPatience;
        unpack(t.ready, ready);
        t.now_ready = ready;
        Kind::look(t.model, t.seen, marks, t.bit);
        Kind::settle(models.data(), t.bit, marks);
        rests &= ~t.bit;
        offering[t.index] = MHO_PACKED_OFFERS(*t.model.rootp);
    }

private:
    static Its& its(Tile& tile) { return static_cast<Its&>(tile); }

    // Before the clock edge: what was put into the tile.
    void enter(Its& t) {
        wake(t);
        unpack(t.came, t.entering);
        unpack(t.ready, t.now_ready);
        t.model.rst = t.reset;
        MHO_PLACED(t.model, t.place);
        t.model.tracing = t.tracing;
        Kind::look(t.model, t.seen, marks, t.bit);
    }

    // Behind the clock edge: what it did.
    void leave(Its& t, bool happened) {
        const uint64_t takes = MHO_PACKED_TAKES(*t.model.rootp), offers = MHO_PACKED_OFFERS(*t.model.rootp);
        if (happened || offers || offering[t.index] || takes != taken[t.index]) {
            forget(t);
            t.patience = kPatience;
        } else {
            look(t);
        }
        taken[t.index] = takes;
        offering[t.index] = offers;
    }

    // Whether a tile to which nothing happens goes round. One that is traced must stand still, and no clock may change in it
    // but its own.
    void look(Its& t) {
        if (t.at < 0) {
            if (++t.quiet < t.patience) return;
            std::memcpy(t.kept.get(), t.state(), sizeof(typename Kind::Root));
            t.at = mho_cycle;
        } else if (same(t) && (!t.watched || (mho_cycle - t.at == 1 && !MHO_GATED))) {
            asleep |= t.bit;
            t.round = int(mho_cycle - t.at);
            forget(t);
        } else if (mho_cycle - t.at == kLongest) {
            forget(t);
            t.patience = std::min(2 * t.patience, kMostPatience);
        }
    }

    static bool same(Its& t) {
        const unsigned char* state = t.state();
        if (state[t.differs] != t.kept[t.differs]) return false;
        if (!std::memcmp(state, t.kept.get(), sizeof(typename Kind::Root))) return true;
        while (state[t.differs] == t.kept[t.differs])
            if (++t.differs == sizeof(typename Kind::Root)) t.differs = 0;
        return false;
    }
};
