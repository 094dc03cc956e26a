// Nodes of a whole mesh: they send blocks and operands, free what they receive, and write down all that arrives; and a
// host that reads and writes registers of all tiles meanwhile. `mesh_ports.h`, which is generated, names the ports.
//
//   simulator SETUP TX OPERANDS REGISTERS BLOCKS STALLS CYCLES BARRIER RESULT ANSWERS
//
// SETUP: requests of the host before cycle 0, each of them flags (bit 0: of several words; 1: a write; 5:2 strobe; from 6
// on: words), address of a word, words that are written. TX: for each flit node, phase, words of what the node offers,
// by node, in order. OPERANDS: likewise, but node * contexts + context for the node; contexts take turns. REGISTERS:
// requests while the nodes work. BLOCKS: for each node and slot the flits of a block, which the node frees when they
// have come; 0: never. STALLS: a byte for each node and cycle, repeated: what the node does not do (1 offers a flit, 2
// offers an operand, 4 takes a sum, 8 frees a block, 16 serves a register; the host as node 0); empty: nodes always do.
// Items of phase 1 wait for BARRIER arrivals. RESULT: for each flit or sum that arrives kind (0 flit, 1 sum, 2 flit at
// the host), cycle, node, words. ANSWERS: for each of REGISTERS the number of words, those words, the status; then the
// words of all tiles. All uint32.

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

// A tile behind its register bus: words from address 0 on, and errors beyond.
class Tile {
public:
    void offer(const TilePorts &ports, bool stall) {
        *ports.request.ready = !waiting_ && !stall;
        held_ = waiting_ && (held_ || !stall);
        *ports.response.valid = held_;
        if (held_) std::memcpy(ports.response.payload, &response_, 8);
    }
    bool observe(const TilePorts &ports) {
        if (held_ && *ports.response.ready) waiting_ = held_ = false;
        if (!*ports.request.ready || !*ports.request.valid) return false;
        uint64_t request;
        std::memcpy(&request, ports.request.payload, 8);
        const uint64_t address = request & ((1ull << kTileAddress) - 1);
        const bool write = request >> kTileAddress & 1;
        waiting_ = true;
        response_ = address < kTileWords ? 0 : 1ull << 32;
        if (address < kTileWords) {
            if (write) {
                const auto data = static_cast<uint32_t>(request >> (kTileAddress + 1));
                for (int byte = 0; byte < 4; ++byte) {
                    const uint32_t mask = request >> (kTileAddress + 33 + byte) & 1 ? 0xFFu << 8 * byte : 0;
                    words[address] = (words[address] & ~mask) | (data & mask);
                }
            } else response_ = words[address];
        }
        return true;
    }
    uint32_t words[kTileWords] = {};

private:
    bool waiting_ = false, held_ = false;
    uint64_t response_ = 0;
};

// The host: one request after the other, at the one port or the other.
class Host {
public:
    explicit Host(const char *path) : all_(contents(path)) {}
    bool done() const { return at_ == all_.size(); }

    void offer(const Ports &ports, bool stall) {
        for (CData *valid : {ports.bus_request.valid, ports.burst_request.valid, ports.burst_data.valid}) *valid = 0;
        *ports.bus_response.ready = *ports.burst_answer.ready = 0;
        if (done() || (stall && !held_)) return;
        const uint32_t flags = all_[at_], count = flags >> 6;
        const uint64_t address = all_[at_ + 1], write = flags >> 1 & 1, strobe = flags >> 2 & 15;
        const bool several = flags & 1;
        held_ = step_ <= count;  // what is offered stays
        if (step_ == 0 && several) {
            put(ports.burst_request, address | (count - 1 | strobe << 4 | write << 8) << kHostAddress);
        } else if (step_ == 0) {
            const uint64_t data = write ? all_[at_ + 2] : 0;
            put(ports.bus_request, address | (write | data << 1 | strobe << 33) << kHostAddress);
        } else if (step_ <= count && several && write) {
            put(ports.burst_data, all_[at_ + 1 + step_]);
        } else {
            *(several ? ports.burst_answer : ports.bus_response).ready = 1;
            held_ = false;
        }
    }

    bool observe(const Ports &ports) {
        if (done()) return false;
        const uint32_t flags = all_[at_], count = flags >> 6;
        const bool several = flags & 1, write = flags & 2;
        const Port &request = several ? ports.burst_request : ports.bus_request;
        const Port &answer = several ? ports.burst_answer : ports.bus_response;
        if (*request.valid && *request.ready) {
            step_ = several && write ? 1 : count + 1;
        } else if (*ports.burst_data.valid && *ports.burst_data.ready) {
            ++step_;
        } else if (*answer.ready && *answer.valid) {
            uint64_t payload;
            std::memcpy(&payload, answer.payload, 8);
            const auto data = static_cast<uint32_t>(payload);
            const uint32_t error = payload >> 32 & 1;
            if (!several && !write) read_.push_back(data);
            if (several && !(payload >> 33 & 1)) {
                read_.push_back(data);
                return true;
            }
            answers.push_back(static_cast<uint32_t>(read_.size()));
            answers.insert(answers.end(), read_.begin(), read_.end());
            answers.push_back(error | (several ? data << 1 : 0));
            read_.clear();
            at_ += 2 + (write ? count : 0);
            step_ = 0;
        } else return false;
        held_ = false;
        return true;
    }
    std::vector<uint32_t> answers;

private:
    static void put(const Port &port, uint64_t payload) {
        *port.valid = 1;
        // A port has 4 or 8 bytes.
        std::memcpy(port.payload, &payload, port.bytes);
    }
    std::vector<uint32_t> all_, read_;
    size_t at_ = 0, step_ = 0;
    bool held_ = false;
};

class Bench {
public:
    Bench(char **argv)
        : ports_(top_), set_up_(argv[1]), tx_(argv[2], kTxWords, kNodes),
          operands_(argv[3], kOperandWords, kNodes * kContexts), registers_(argv[4]), blocks_(contents(argv[5])),
          left_(blocks_), freed_(kNodes), tiles_(kNodes), barrier_(std::atol(argv[8])) {
        std::ifstream file(argv[6], std::ios::binary);
        stalls_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }

    void set_up() {
        top_.rst = 1;
        for (int k = 0; k < 3; ++k) { settle(); edge(); }
        top_.rst = 0;
        for (int n = 0; n < kNodes; ++n) {
            if (kContexts) *ports_.result[n].ready = (1 << kContexts) - 1;
        }
        // An answer says that what was written is there.
        while (!set_up_.done()) {
            set_up_.offer(ports_, false);
            settle();
            set_up_.observe(ports_);
            edge();
        }
        set_up_.offer(ports_, false);
    }

    long run(long cycles) {
        long quiet = 0;
        for (cycle_ = 0; cycle_ < cycles && quiet < kQuiet; ++cycle_) {
            for (int n = 0; n < kNodes; ++n) offer(n);
            registers_.offer(ports_, stalls(0) & 16);
            settle();
            bool moved = registers_.observe(ports_);
            for (int n = 0; n < kNodes; ++n) moved |= observe(n);
            if (*ports_.host_receive.valid) record(2, 0, ports_.host_receive.payload, kBodyWords), moved = true;
            quiet = moved ? 0 : quiet + 1;
            phase_ = arrived_ >= barrier_;
            edge();
        }
        return cycle_;
    }

    bool write(const char *result, const char *answers) {
        for (const Tile &tile : tiles_) {
            registers_.answers.insert(registers_.answers.end(), tile.words, tile.words + kTileWords);
        }
        return write(result, result_) && write(answers, registers_.answers);
    }
    bool done() const { return tx_.done() && operands_.done() && registers_.done(); }

private:
    static bool write(const char *path, const std::vector<uint32_t> &words) {
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char *>(words.data()), static_cast<std::streamsize>(4 * words.size()));
        return file.good();
    }
    char stalls(int n) const { return stalls_.empty() ? 0 : stalls_[(cycle_ * kNodes + n) % stalls_.size()]; }
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
        const char stall = stalls(n);
        tiles_[n].offer(ports_.registers[n], stall & 16);
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
        bool moved = tiles_[n].observe(ports_.registers[n]);
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
    Host set_up_;
    Items tx_, operands_;
    Host registers_;
    std::vector<uint32_t> blocks_, left_;
    std::vector<std::deque<uint32_t>> freed_;  // slots of blocks
    std::vector<Tile> tiles_;
    bool held_[kNodes][2] = {};                // what a node offers: flit, free block
    int stream_[kNodes] = {};                  // and operand
    std::vector<char> stalls_;
    std::vector<uint32_t> result_;
    long cycle_ = 0, arrived_ = 0, barrier_;
    uint32_t phase_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 11) return 2;
    Bench bench(argv);
    bench.set_up();
    const std::clock_t start = std::clock();
    const long cycles = bench.run(std::atol(argv[7]));
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const bool good = bench.write(argv[9], argv[10]);
    std::printf("%ld %d %.6f\n", cycles, bench.done(), seconds);
    return good ? 0 : 1;
}
