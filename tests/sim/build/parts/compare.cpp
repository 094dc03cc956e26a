// Models whose edges are in parts beside models that are evaluated whole: all of their state is compared after each edge. What is at
// their inputs is random, and stays the same for some cycles now and then.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vmodel.h"
#include "Vmodel__Edge.h"
#include "Vmodel___024root.h"
#include "members.h"
#include "port.h"

static uint32_t state = 1;

static uint32_t draw() {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state * 2654435761u ^ state >> 9;
}

// What is set to 1 seldom is most of the time 0.
static void drive(const std::vector<Port>& one, const std::vector<Port>& other, uint32_t of_256) {
    for (size_t k = 0; k < one.size(); k++) {
        uint32_t words[64] = {};
        const bool narrow = one[k].bits == 1;
        for (int w = 0; w < one[k].words(); w++)
            words[w] = narrow ? (draw() >> 24) < of_256 : draw() & (draw() | (of_256 > 20 ? ~0u : 0u));
        if (one[k].bits % 32) words[one[k].words() - 1] &= (1u << one[k].bits % 32) - 1;
        one[k].put(words);
        other[k].put(words);
    }
}

int main(int, char** argv) {
    constexpr int kModels = 3;
    const long cycles = std::atol(argv[1]);
    std::vector<std::unique_ptr<Vmodel>> whole, parts;
    std::vector<Vmodel__Model*> group;
    std::vector<Vmodel__Seen> seen(kModels);
    std::vector<uint64_t> marks(VMODEL_PARTS + 1);
    for (int k = 0; k < kModels; k++) {
        for (auto* some : {&whole, &parts}) {
            some->push_back(std::make_unique<Vmodel>("model"));
            some->back()->rst = 1;
            some->back()->clk = 0;
            some->back()->eval();
        }
        group.push_back(Vmodel__model(*parts[k]));
        Vmodel__begin(*parts[k], seen[k], marks.data(), 1u << k);
    }
    long runs = 0;
    uint32_t seldom = 8;
    for (long n = 0; n < cycles; n++) {
        if (n % 256 == 0) seldom = draw() % 40;
        uint64_t fresh = 0;
        for (int k = 0; k < kModels; k++) {
            if (n > 2 && draw() % 3 == 0) continue;
            drive(INPUTS((*whole[k])), INPUTS((*parts[k])), seldom);
            whole[k]->rst = parts[k]->rst = n < 3 || draw() % 2000 == 0;
            Vmodel__look(*parts[k], seen[k], marks.data(), 1u << k);
            fresh |= 1u << k;
        }
        for (auto& one : whole) {
            one->clk = 0;
            one->eval();
            one->clk = 1;
            one->eval();
        }
        for (int k = 0; k < VMODEL_PARTS; k++) runs += __builtin_popcountll(marks[k]);
        // In any order, and some alone.
        const uint64_t first = draw() & 7;
        Vmodel__edge(group.data(), first, fresh & first, marks.data());
        Vmodel__edge(group.data(), 7 & ~first, fresh & ~first, marks.data());
        for (int k = 0; k < kModels; k++) {
            const auto *one = whole[k]->rootp, *other = parts[k]->rootp;
#define SAME(name)                                                                        \
    if (std::memcmp(&one->name, &other->name, sizeof one->name)) {                        \
        std::printf("%s differs in cycle %ld of model %d\n", #name, n, k);                \
        return 1;                                                                         \
    }
            MEMBERS(SAME)
        }
    }
    std::printf("%.3f\n", double(runs) / double(cycles * kModels * VMODEL_PARTS));
    return 0;
}
