// Nodes of a whole mesh: they send blocks and operands, free what they receive, and write down all that arrives.
// `mesh_ports.h`, which is generated, names the ports.
//
//   simulator HOST TX OPERANDS BLOCKS STALLS CYCLES BARRIER RESULT
//
// HOST: words of flits that the host sends before cycle 0. TX: for each flit node, phase, words of what the node offers,
// by node, in order. OPERANDS: likewise, but node * contexts + context for the node; contexts take turns. BLOCKS: for
// each node and slot the flits of a block, which the node frees when they have come; 0: never. STALLS: a byte for each
// node and cycle, repeated: what the node does not do (1 offers a flit, 2 offers an operand, 4 takes a sum, 8 frees a
// block); empty: nodes always do. Items of phase 1 wait for BARRIER arrivals. RESULT: for each flit or sum that arrives
// kind (0 flit, 1 sum, 2 flit at the host), cycle, node, words; all uint32.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <vector>

#include "mesh_ports.h"

namespace {

std::vector<uint32_t> contents(const char *path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> raw{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::vector<uint32_t> words((raw.size() + 3) / 4);
    std::memcpy(words.data(), raw.data(), raw.size());
    return words;
}

// What each node offers, in order; or what it offers for each context.
struct Items {
    int words;
    std::vector<uint32_t> all;
    std::vector<size_t> at, end;

    Items(const char *path, int words_of_item, int streams)
        : words(words_of_item), all(contents(path)), at(streams), end(streams) {
        const size_t count = all.size() / (2 + words);
        for (size_t k = count; k-- > 0;) at[record(k)[0]] = k;
        for (size_t k = 0; k < count; ++k) end[record(k)[0]] = k + 1;
    }
    const uint32_t *record(size_t k) const { return &all[k * (2 + words)]; }
    // The next item of a stream, if it may go in this phase.
    const uint32_t *next(size_t stream, uint32_t phase) const {
        return at[stream] < end[stream] && record(at[stream])[1] <= phase ? record(at[stream]) + 2 : nullptr;
    }
    bool done() const { return at == end; }
};

class Bench {
public:
    Bench(char **argv)
        : ports_(top_), host_(contents(argv[1])), tx_(argv[2], kTxWords, kNodes),
          operands_(argv[3], kOperandWords, kNodes * kContexts), blocks_(contents(argv[4])), left_(blocks_),
          freed_(kNodes), barrier_(std::atol(argv[7])) {
        std::ifstream file(argv[5], std::ios::binary);
        stalls_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }

    void set_up() {
        top_.rst = 1;
        for (int k = 0; k < 3; ++k) { settle(); edge(); }
        top_.rst = 0;
        for (int n = 0; n < kNodes; ++n) {
            if (kContexts) *ports_.result[n].ready = (1 << kContexts) - 1;
        }
        *ports_.host_o.ready = 1;
        // The tables are emptied first; the last flit of the host has the farthest to go.
        for (int quiet = 0, wait = 32; quiet < 256;) {
            const bool offer = wait == 0 && sent_ * kHostWords < host_.size();
            if (wait) --wait;
            *ports_.host_i.valid = offer;
            if (offer) std::memcpy(ports_.host_i.payload, &host_[sent_ * kHostWords], 4 * kHostWords);
            settle();
            if (offer && *ports_.host_i.ready) ++sent_;
            quiet = offer || wait ? 0 : quiet + 1;
            edge();
        }
        *ports_.host_i.valid = 0;
    }

    long run(long cycles) {
        long quiet = 0;
        for (cycle_ = 0; cycle_ < cycles && quiet < kQuiet; ++cycle_) {
            for (int n = 0; n < kNodes; ++n) offer(n);
            settle();
            bool moved = false;
            for (int n = 0; n < kNodes; ++n) moved |= observe(n);
            if (*ports_.host_o.valid) record(2, 0, ports_.host_o.payload, kBodyWords), moved = true;
            quiet = moved ? 0 : quiet + 1;
            phase_ = arrived_ >= barrier_;
            edge();
        }
        return cycle_;
    }

    bool write(const char *path) const {
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char *>(result_.data()), static_cast<std::streamsize>(4 * result_.size()));
        return file.good();
    }
    bool done() const { return tx_.done() && operands_.done(); }

private:
    void settle() { top_.clk = 0; top_.eval(); }
    void edge() { top_.clk = 1; top_.eval(); }

    // What is offered stays until it is taken.
    static void drive(const Port &port, const uint32_t *words, size_t bytes, bool stall, bool &held) {
        held = words && (held || !stall);
        *port.valid = held;
        if (held) std::memcpy(port.payload, words, bytes);
    }

    static bool taken(bool ready, bool &held) {
        const bool moves = held && ready;
        if (moves) held = false;
        return moves;
    }

    void offer(int n) {
        const char stall = stalls_.empty() ? 0 : stalls_[(cycle_ * kNodes + n) % stalls_.size()];
        drive(ports_.tx[n], tx_.next(n, phase_), 4 * kTxWords, stall & 1, held_[n][0]);
        if (kContexts) {
            stream_[n] = stall & 2 ? -1 : choose(n);
            *ports_.operand[n].valid = stream_[n] >= 0;
            if (stream_[n] >= 0) {
                std::memcpy(ports_.operand[n].payload, operands_.next(stream_[n], phase_), 4 * kOperandWords);
            }
            *ports_.result[n].ready = stall & 4 ? 0 : (1 << kContexts) - 1;
        }
        drive(ports_.release[n], freed_[n].empty() ? nullptr : &freed_[n].front(), 1, stall & 8, held_[n][1]);
    }

    // The context that gives an operand: a node waits for none that has no room.
    int choose(int n) const {
        for (int k = 0; k < kContexts; ++k) {
            const int context = static_cast<int>((cycle_ + k) % kContexts), stream = n * kContexts + context;
            if (operands_.next(stream, phase_) && *ports_.operand[n].ready >> context & 1) return stream;
        }
        return -1;
    }

    bool observe(int n) {
        bool moved = false;
        if (taken(*ports_.tx[n].ready, held_[n][0])) ++tx_.at[n], moved = true;
        if (taken(*ports_.release[n].ready, held_[n][1])) freed_[n].pop_front(), moved = true;
        if (*ports_.rx[n].valid) {
            const auto *words = static_cast<const uint32_t *>(ports_.rx[n].payload);
            record(0, n, words, kRxWords);
            ++arrived_;
            const size_t slot = n * kSlots + (words[kTagAt / 32] >> kTagAt % 32 & (kSlots - 1));
            if (blocks_[slot] && --left_[slot] == 0) {
                left_[slot] = blocks_[slot];
                freed_[n].push_back(static_cast<uint32_t>(slot % kSlots));
            }
            moved = true;
        }
        if (kContexts) {
            if (stream_[n] >= 0) ++operands_.at[stream_[n]], moved = true;
            if (*ports_.result[n].valid) record(1, n, ports_.result[n].payload, kOperandWords), moved = true;
        }
        return moved;
    }

    void record(uint32_t kind, int node, const void *payload, int words) {
        const auto *from = static_cast<const uint32_t *>(payload);
        const size_t start = result_.size();
        result_.resize(start + 3 + kBodyWords);
        result_[start] = kind;
        result_[start + 1] = static_cast<uint32_t>(cycle_);
        result_[start + 2] = static_cast<uint32_t>(node);
        std::copy(from, from + words, result_.begin() + static_cast<long>(start) + 3);
    }

    Top top_;
    Ports ports_;
    std::vector<uint32_t> host_;
    Items tx_, operands_;
    std::vector<uint32_t> blocks_, left_;
    std::vector<std::deque<uint32_t>> freed_;  // slots of blocks
    bool held_[kNodes][2] = {};                // what a node offers: flit, free block
    int stream_[kNodes] = {};                  // and operand
    std::vector<char> stalls_;
    std::vector<uint32_t> result_;
    size_t sent_ = 0;
    long cycle_ = 0, arrived_ = 0, barrier_;
    uint32_t phase_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 9) return 2;
    Bench bench(argv);
    bench.set_up();
    const std::clock_t start = std::clock();
    const long cycles = bench.run(std::atol(argv[6]));
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const bool good = bench.write(argv[8]);
    std::printf("%ld %d %.6f\n", cycles, bench.done(), seconds);
    return good ? 0 : 1;
}
