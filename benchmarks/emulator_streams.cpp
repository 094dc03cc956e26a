// Products one behind the other through the streams of an emulated core: how many cycles each takes.
//
// Arguments: how many, then the words of the descriptor, lowest first. Prints the
// cycles from the end of the first product to that of the last, and those of the operations at the pins of a chip.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "Vtop.h"

int main(int argc, char** argv) {
    Vtop top;
    const long count = std::atol(argv[1]);
    uint32_t words[4] = {};
    for (int k = 2; k < argc && k < 6; k++) words[k - 2] = std::strtoul(argv[k], nullptr, 0);
    uint32_t random = 1;
    uint64_t cycle = 0, first = 0, last = 0;
    long done = 0;
    auto tick = [&] {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    };
    top.rst = 1;
    tick();
    top.rst = 0;
    top.op_valid = top.i_valid = top.o_ready = 1;
    std::memcpy(&top.op_payload, words, sizeof top.op_payload);
    for (; done < count; cycle++) {
        if (cycle > 4000000000ULL) return std::puts("it hangs"), 1;
        top.i_payload = random & 0x07070707;
        top.eval();
        if (top.i_ready) random = random * 1664525u + 1013904223u;
        if (top.status_done) {
            if (!done) first = cycle;
            last = cycle;
            done++;
        }
        tick();
    }
    std::printf("%llu %llu\n", (unsigned long long)(last - first), (unsigned long long)top.status_cycles_analog);
    return 0;
}
