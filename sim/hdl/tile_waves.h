// Waves of tiles that are models of their own: they go into the file of the mesh around them, under the paths that they have
// in one design.
//
// A model that waits for the next edge has inputs of the edge before, which is all that it needs; in a file it must have those
// of now. So the proxies give all inputs as they change (mho_tile_input), and before the changes of a point in time are
// written a model is evaluated once more if they have. What is written is then what one design has, also where a clock falls.
// A tile that stands still is not evaluated: only its clock changes.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include "tile_group.h"
#include "verilated_fst_c.h"

// The path of a tile's model in one design, up to where it is told from others.
constexpr const char* kTop = "core_tb";
constexpr const char* kShell = "core_0";

inline int mho_declared = 0;      // number of the tile whose signals are declared
inline bool mho_clocked = false;  // the clock is written
uint32_t mho_clock = 0;           // the clock of all of them: the first one's first signal

// The scope that one of a tile's model stands for (sim/build/tile_shell.py).
std::string mho_scope(const char* name) {
    const std::string all(name), end = "_here";
    if (all.size() <= end.size() || all.substr(all.size() - end.size()) != end) return kShell;
    const std::string kind = all.substr(0, all.size() - end.size());
    if (kind == "macro") return kind + "_" + std::to_string(mho_declared);
    return kind + "_" + std::to_string(mho_declared % MHO_COLUMNS) + "_" + std::to_string(mho_declared / MHO_COLUMNS);
}

template <class Kind>
void declare(void* tile, VerilatedFst* trace, uint32_t code) {
    TileOf<Kind>& t = *static_cast<TileOf<Kind>*>(tile);
    if (!mho_clock) mho_clock = code++;
    t.model.rootp->vlSymsp->__Vm_baseCode = code;
    mho_declared = t.number;
    trace->pushPrefix(kTop, VerilatedTracePrefixType::SCOPE_MODULE);
    Kind::declare(t.model.rootp, trace);
    trace->popPrefix();
}

// Where no input has changed all is settled, but for what follows a clock that falls. What was not evaluated is not looked at.
template <class Kind>
void settle(void* tile, VerilatedFst::Buffer*) {
    TileOf<Kind>& t = *static_cast<TileOf<Kind>*>(tile);
    if (t.changed || MHO_GATED) t.model.eval();
    t.changed = false;
}

inline void dump_clock(void* tile, VerilatedFst::Buffer* buffer) {
    buffer->chgBit(buffer->oldp(mho_clock), *static_cast<Tile*>(tile)->clk);
}

inline void dump_first_clock(void* tile, VerilatedFst::Buffer* buffer) {
    buffer->fullBit(buffer->oldp(mho_clock), *static_cast<Tile*>(tile)->clk);
}

// `+mho_waves=3,17,` has the numbers of the tiles that are traced; without it all are.
inline bool wanted(int number) {
    const std::string some = Verilated::threadContextp()->commandArgsPlusMatch("mho_waves=");
    if (some.empty()) return true;
    const std::string numbers = "," + some.substr(some.find('=') + 1) + ",";
    return numbers.find("," + std::to_string(number) + ",") != std::string::npos;
}

// Have a tile written into a file that is not open yet.
template <class Kind>
void watch(TileOf<Kind>& t, VerilatedTraceBaseC* file) {
    VerilatedFst* trace = dynamic_cast<VerilatedFstC&>(*file).spTrace();
    t.watched = true;
    if (!mho_clocked) {
        Tile* first = &t;
        trace->addFullCb(dump_first_clock, 0, first);
        trace->addChgCb(dump_clock, 0, first);
        mho_clocked = true;
    }
    trace->addInitCb(declare<Kind>, &t);
    trace->addFullCb(settle<Kind>, 0, &t);
    trace->addChgCb(settle<Kind>, 0, &t);
    Kind::trace(t.model.rootp, trace);
}
