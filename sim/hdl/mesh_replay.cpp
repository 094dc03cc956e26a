// Replays traffic through a mesh and writes down what leaves it. `mesh_ports.h`, which is generated, names the ports.
//
//   simulator TRAFFIC CYCLES ACCEPT RESULT
//
// TRAFFIC: for each flit, by node, in the order in which the node sends: uint32 node, uint32 earliest cycle, words of the
// flit. ACCEPT: a byte for each node and cycle, repeated; empty: nodes always accept. RESULT: for each flit the cycle in
// which it was taken (-1: never), then for each ejection cycle, node, words of the flit; all int32.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

#include "mesh_ports.h"

namespace {

std::vector<char> contents(const char *path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

constexpr int kRecord = 2 + kInjectWords;

}  // namespace

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    const std::vector<char> raw = contents(argv[1]), accept = contents(argv[3]);
    const long cycles = std::atol(argv[2]);
    const auto *flits = reinterpret_cast<const uint32_t *>(raw.data());
    const long count = static_cast<long>(raw.size() / 4 / kRecord);

    Top top;
    Ports ports(top);
    std::vector<long> at(kNodes), end(kNodes);
    for (long k = count - 1; k >= 0; --k) at[flits[k * kRecord]] = k;
    for (long k = 0; k < count; ++k) end[flits[k * kRecord]] = k + 1;
    std::vector<int32_t> taken(count, -1), left;

    auto clock = [&] { top.clk = 0; top.eval(); top.clk = 1; top.eval(); };
    top.rst = 1;
    for (int k = 0; k < 3; ++k) clock();
    top.rst = 0;
    clock();

    long pending = count, cycle = 0, quiet = 0;
    const std::clock_t start = std::clock();
    std::vector<char> offered(kNodes, 0);
    for (; cycle < cycles && (pending || quiet < kQuiet); ++cycle) {
        const char *row = accept.empty() ? nullptr : &accept[cycle * kNodes % accept.size()];
        for (int n = 0; n < kNodes; ++n) {
            const uint32_t *flit = flits + at[n] * kRecord;
            const bool offer = at[n] < end[n] && flit[1] <= cycle;
            if (offer && !offered[n]) std::memcpy(ports.inject[n].payload, flit + 2, 4 * kInjectWords);
            offered[n] = offer;
            *ports.inject[n].valid = offer;
            *ports.eject[n].ready = !row || row[n];
        }
        clock();  // flip-flops of the bench hand the inputs to the mesh, whose outputs of this cycle are there then
        ++quiet;
        for (int n = 0; n < kNodes; ++n) {
            if (offered[n] && *ports.inject[n].ready) {
                taken[at[n]++] = cycle;
                --pending;
                offered[n] = 0;
                quiet = 0;
            }
            if (*ports.eject[n].valid) {
                left.push_back(cycle);
                left.push_back(n);
                const auto *words = reinterpret_cast<const int32_t *>(ports.eject[n].payload);
                left.insert(left.end(), words, words + kEjectWords);
                quiet = 0;
            }
        }
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;

    std::ofstream result(argv[4], std::ios::binary);
    result.write(reinterpret_cast<const char *>(taken.data()), 4 * taken.size());
    result.write(reinterpret_cast<const char *>(left.data()), 4 * left.size());
    std::printf("%ld %.6f\n", cycle, seconds);
    return result.good() ? 0 : 1;
}
