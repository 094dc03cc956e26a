// Runs programs in a tile, one after the other, with a core that is a function and a network that is the host.
// `tile_ports.h`, which is generated, says where fields are.
//
//   simulator PROGRAMS WEIGHTS RESULTS
//
// PROGRAMS: for each program uint32 words: kSettings of them, memories as a host writes them, then streams that the host
// sends to: slot, bytes of a block, blocks, and these, each filled up to whole words. WEIGHTS: int32, kLines x kLines.
// RESULTS: for each program the number of words that follow, then what `Result` holds.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tile_ports.h"
#include "verilated_syms.h"

namespace {

using Words = std::vector<uint32_t>;

constexpr int kEngines = 4, kAfter = 200, kSeen = 16;
enum Setting {
    kSeed, kStall, kDelay, kEager, kImage, kRegister, kWatchdog = kRegister + 3, kStreams, kKey, kSettings = kKey + 2
};

Words read_words(const char *path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> raw{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const auto *data = reinterpret_cast<const uint32_t *>(raw.data());
    return {data, data + raw.size() / 4};
}

uint64_t bits(const uint32_t *words, int low, int width) {
    uint64_t found = 0;
    for (int k = 0; k < width; ++k) found |= uint64_t(words[(low + k) / 32] >> (low + k) % 32 & 1) << k;
    return found;
}

template <typename P> void put(P &port, int low, int width, uint64_t value) {
    auto *words = reinterpret_cast<uint32_t *>(&port);
    for (int k = 0; k < width; ++k) {
        uint32_t &word = words[(low + k) / 32];
        const uint32_t mask = 1u << (low + k) % 32;
        word = value >> k & 1 ? word | mask : word & ~mask;
    }
}

// What engines told; tokens of what each has at hand.
struct Events {
    Words words;
    std::array<Words, kEngines> tokens;
    int count = 0;
};

struct Sender {
    int slot, flits;  // of a block
    long sent = 0, blocks = 0, begun = 0, acked = 0;
    std::vector<uint64_t> data;
};

class Bench {
  public:
    explicit Bench(const Words &weights) : weights_(weights) {
        top_.rst = 1;
        for (int k = 0; k < 3; ++k) { top_.clk = 0; top_.eval(); top_.clk = 1; top_.eval(); }
        top_.rst = 0;
        for (const auto &scope : *Verilated::scopeNameMap()) {
            for (int bank = 0; bank < 4; ++bank) {
                if (std::string(scope.first).find(".buffer.bank_" + std::to_string(bank)) == std::string::npos) continue;
                if (auto *words = words_of(scope.second)) {
                    banks_[bank] = static_cast<const uint32_t *>(words->datap());
                    bank_count_ = std::max(bank_count_, bank + 1);
                }
            }
        }
        if (!banks_[0] || !banks_[1]) std::exit(4);
    }

    // Runs a program; its words, and behind the last of them.
    const uint32_t *run(const uint32_t *program, Words &result) {
        settings_ = program;
        random_ = 0x9E3779B97F4A7C15u * (settings_[kSeed] + 1) | 1;
        quiet_going_ = false;
        forget();
        access(kControl, 2, true);  // reset
        const uint32_t *at = program + kSettings;
        for (int area = 0; area < kAreas; ++area) {
            load(area, at);
            at += kSizes[area];
        }
        access(kControl + 4, settings_[kImage], true);
        for (int k = 0; k < 3; ++k) access(kControl + 8 + 4 * k, settings_[kRegister + k], true);
        access(kControl + 20, settings_[kWatchdog], true);
        for (int k = 0; k < kKeyWords; ++k) access(kControl + 40 + 4 * k, settings_[kKey + k], true);
        for (uint32_t k = 0; k < settings_[kStreams]; ++k) at = sender(at);
        clear_accumulators();
        access(kControl, 1, true);
        go();
        tell(result);
        return at;
    }

    long cycles = 0;

  private:
    Vtop top_;
    const Words &weights_;
    const uint32_t *settings_ = nullptr;
    uint64_t random_ = 1;
    const uint32_t *banks_[4] = {};
    int bank_count_ = 0;
    std::array<Words, kAreas> shadow_{};
    std::array<std::vector<char>, kAreas> known_{};
    bool quiet_going_ = false, cut_ = false;
    // What happens in a program.
    Events events_;
    Words retired_, flits_, masks_;
    uint32_t status_[2] = {}, control_ = 0;
    long began_ = 0, settled_ = 0, moved_ = 0, overlap_ = 0;
    std::array<int, kEngines> hands_{};
    std::vector<Sender> senders_;
    std::deque<uint64_t> sums_[4];
    int operand_ = -1;
    // The core.
    std::deque<Words> products_;
    bool taking_ = false, refuses_ = false;
    long wait_ = 0;
    uint32_t wanted_ = 0;
    std::vector<uint32_t> given_;

    uint32_t draw() {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return uint32_t(random_ >> 24);
    }
    bool stalls() { return (draw() & 255) < settings_[kStall]; }
    long delay() { return settings_[kDelay] ? 1 + draw() % settings_[kDelay] : 0; }

    void forget() {
        events_ = {};
        retired_.clear(), flits_.clear(), masks_.clear(), senders_.clear(), products_.clear(), given_.clear();
        for (auto &one : sums_) one.clear();
        operand_ = -1, taking_ = refuses_ = false, wait_ = 0, overlap_ = 0, hands_ = {};
    }

    const uint32_t *sender(const uint32_t *at) {
        const uint32_t slot = at[0], size = at[1], count = at[2];
        at += 3;
        Sender one{int(slot), int((size + kFlit - 1) / kFlit)};
        one.blocks = count;
        const uint32_t words = (size + 3) / 4;
        for (uint32_t block = 0; block < count; ++block, at += words) {
            for (int flit = 0; flit < one.flits; ++flit) {
                uint64_t value = 0;
                for (int k = 0; k < kFlit; ++k) {
                    const uint32_t byte = flit * kFlit + k;
                    if (byte < size) value |= uint64_t(at[byte / 4] >> byte % 4 * 8 & 255) << 8 * k;
                }
                one.data.push_back(value);
            }
        }
        senders_.push_back(one);
        return at;
    }

    // Of a wrapper, or of the model of a macro in it.
    static const VerilatedVar *words_of(const VerilatedScope *scope) {
        auto *words = scope->varFind("words");
        return words ? words : scope->varFind("memory");
    }

    // They have no value at the start.
    static void clear_accumulators() {
        for (const auto &scope : *Verilated::scopeNameMap()) {
            if (std::string(scope.first).find("accumulators") == std::string::npos) continue;
            if (auto *words = words_of(scope.second)) std::memset(words->datap(), 0, words->totalSize());
        }
    }

    void load(int area, const uint32_t *given) {
        auto &shadow = shadow_[area];
        auto &known = known_[area];
        if (shadow.empty()) shadow.resize(kSizes[area]), known.resize(kSizes[area]);
        for (int k = 0; k < kSizes[area]; ++k) {
            // Of a parameter the low word goes first, and what is changed of it needs both.
            const int pair = kPairs[area] ? k ^ 1 : k;
            const bool same = known[k] && shadow[k] == given[k] && known[pair] && shadow[pair] == given[pair];
            if (!same) access(kBases[area] + 4 * k, given[k], true);
            if (!kPairs[area] || k & 1) {
                shadow[k] = given[k], known[k] = 1;
                if (kPairs[area]) shadow[k - 1] = given[k - 1], known[k - 1] = 1;
            }
        }
    }

    uint32_t access(uint32_t address, uint32_t value, bool write) {
        put(top_.bus_request_payload, kBusAddress, kBusAddressBits, address >> 2);
        put(top_.bus_request_payload, kBusWrite, 1, write);
        put(top_.bus_request_payload, kBusData, 32, value);
        put(top_.bus_request_payload, kBusStrobe, 4, 15);
        top_.bus_request_valid = 1;
        for (bool done = false; !done;) {
            cycle_inputs();
            done = top_.bus_request_ready;
            edge();
        }
        top_.bus_request_valid = 0;
        top_.bus_response_ready = 1;
        uint32_t found = 0;
        for (bool done = false; !done;) {
            cycle_inputs();
            done = top_.bus_response_valid;
            found = uint32_t(bits(reinterpret_cast<uint32_t *>(&top_.bus_response_payload), kBusReadData, 32));
            edge();
        }
        top_.bus_response_ready = 0;
        return found;
    }

    void go() {
        // Nothing is sent before the tile has looked at all rings.
        settled_ = cycles + 64;
        for (int k = 0; k < 16; ++k) settled_ += (shadow_[kDescriptorArea][2 * k + 1] & 255) + 4;
        began_ = cycles, moved_ = settled_;
        quiet_going_ = true;
        for (;;) {
            for (int k = 0; k < kPoll; ++k) { cycle_inputs(); edge(); }
            control_ = access(kControl, 0, false);
            status_[0] = access(kControl + 24, 0, false);
            // What the host sends behind the end arrives, and what was issued before a trap goes on.
            const bool over = !(control_ & 3) || (status_[0] & 15);
            // A program may end before anything is sent.
            const long still = std::max(moved_, settled_);
            const long watched = settings_[kWatchdog] ? 1L << settings_[kWatchdog] : 0;
            cut_ = cycles - began_ > kDeadline;
            if (cut_ || (over && cycles > still + kAfter) || cycles > still + kQuiet + watched) break;
        }
        // A trap leaves what was issued before it to end.
        for (int k = 0; k < 2 * kPoll; ++k) { cycle_inputs(); edge(); }
        control_ = access(kControl, 0, false);
        for (int k = 0; k < 2; ++k) status_[k] = access(kControl + 24 + 4 * k, 0, false);
        quiet_going_ = false;
        // Descriptors and the buffer may be other than what was written.
        std::fill(known_[kDescriptorArea].begin(), known_[kDescriptorArea].end(), 0);
        read_buffer();
    }

    // The buffer as it is in its banks, which takes no time; of some words the host must see the same.
    void read_buffer() {
        auto &buffer = shadow_[kBufferArea];
        for (int k = 0; k < kSizes[kBufferArea]; ++k) {
            buffer[k] = banks_[k / 2 % bank_count_][k / 2 / bank_count_ * 2 + k % 2];
            known_[kBufferArea][k] = 1;
        }
        for (int k = 0; k < kSeen; ++k) {
            const int at = draw() % kSizes[kBufferArea];
            if (access(kBases[kBufferArea] + 4 * at, 0, false) == buffer[at]) continue;
            std::fprintf(stderr, "word %d of the buffer is not what a host reads there\n", at);
            std::exit(3);
        }
    }

    // Inputs of a cycle, and what they give.
    void cycle_inputs() {
        const bool on = quiet_going_;
        // The core.
        top_.op_ready = on && !taking_ && products_.size() < 2 && !stalls();
        top_.codes_ready = on && taking_ && !refuses_ && !stalls();
        top_.drain_valid = on && !products_.empty() && wait_ == 0;
        if (!products_.empty()) top_.drain_payload = products_.front()[drained_];
        top_.refused = refuses_ && !refused_told_;
        // The network.
        chosen_ = on ? choose() : nullptr;
        top_.i_valid = chosen_ != nullptr;
        if (chosen_) {
            put(top_.i_payload, kInPayload, 8 * kFlit, chosen_->data[chosen_->sent]);
            put(top_.i_payload, kInSlot, 4, chosen_->slot);
        }
        top_.acknowledge_ready = !stalls();
        top_.mask_ready = on && !stalls();
        const auto &sums = sums_[top_.sum_context];
        top_.result_valid = !sums.empty();
        if (!sums.empty()) put(top_.result_payload, 0, 8 * kFlit, sums.front());
        top_.clk = 0;
        top_.o_ready = 0;
        top_.eval();
        if (top_.o_valid && on && !stalls()) {
            const auto *flit = reinterpret_cast<uint32_t *>(&top_.o_payload);
            top_.o_ready = !bits(flit, kOutOperand, 1) || takes_operand(int(bits(flit, kOutFlow, 4)));
            top_.eval();
        }
    }

    // An operand of a reduction goes when its sum is wanted, or at once.
    bool takes_operand(int context) {
        if (operand_ == context || settings_[kEager]) return true;
        return top_.summing && top_.sum_context == context && sums_[context].empty();
    }

    Sender *choose() {
        if (senders_.empty() || cycles < settled_ || stalls()) return nullptr;
        const size_t first = draw() % senders_.size();
        for (size_t k = 0; k < senders_.size(); ++k) {
            Sender &one = senders_[(first + k) % senders_.size()];
            const bool within = one.sent % one.flits != 0;
            if (within || (one.begun < one.blocks && one.begun - one.acked < 2)) return &one;
        }
        return nullptr;
    }

    void edge() {
        bool moves = false;
        if (quiet_going_) moves = watch();
        top_.clk = 1;
        top_.eval();
        ++cycles;
        if (moves) moved_ = cycles;
    }

    // What is handed over in this cycle.
    bool watch() {
        bool moves = core();
        if (chosen_) {
            if (chosen_->sent % chosen_->flits == 0) ++chosen_->begun;
            ++chosen_->sent;
            moves = true;
        }
        if (top_.o_valid && top_.o_ready) {
            const auto *flit = reinterpret_cast<uint32_t *>(&top_.o_payload);
            const int flow = int(bits(flit, kOutFlow, 4)), last = int(bits(flit, kOutLast, 1));
            const uint64_t payload = bits(flit, kOutPayload, 8 * kFlit);
            if (bits(flit, kOutOperand, 1)) {
                sums_[flow & 3].push_back(payload);
                operand_ = last ? -1 : flow;
            } else {
                flits_.insert(flits_.end(), {uint32_t(flow | last << 4), uint32_t(payload), uint32_t(payload >> 32)});
            }
            moves = true;
        }
        if (top_.result_valid && top_.result_ready) sums_[top_.sum_context].pop_front(), moves = true;
        if (top_.acknowledge_valid && top_.acknowledge_ready) {
            for (Sender &one : senders_)
                if (one.slot == top_.acknowledge_payload) ++one.acked;
            moves = true;
        }
        if (top_.mask_valid && top_.mask_ready) {
            const auto *mask = reinterpret_cast<uint32_t *>(&top_.mask_payload);
            masks_.insert(masks_.end(), {uint32_t(bits(mask, kMaskAddr, 8)), uint32_t(bits(mask, kMaskData, 32))});
            moves = true;
        }
        if (top_.retire) {
            const auto *retired = reinterpret_cast<uint32_t *>(&top_.retired);
            retired_.push_back(uint32_t(bits(retired, kRetiredPc, 9)));
            const int op = int(bits(retired, kRetiredOp, 5));
            if (op == kOpMvm) ++hands_[1];
            if (op == kOpVec) ++hands_[2];
            if (op == kOpSend) hands_[3] += int(bits(retired, kRetiredBlocks, 8));
            moves = true;
        }
        const uint32_t *traces[kEngines] = {top_.trace_sequencer.data(), top_.trace_load.data(),
                                            top_.trace_vector.data(), top_.trace_send.data()};
        for (int k = 0; k < kEngines; ++k) moves |= event(k, traces[k]);
        overlap_ += (hands_[1] > 0) + (hands_[2] > 0) + (hands_[3] > 0) > 1;
        return moves;
    }

    bool event(int engine, const uint32_t *trace) {
        const bool changed = bits(trace, kTraceChanged, 1), ends = bits(trace, kTraceValid, 1);
        if (changed) events_.tokens[engine].push_back(uint32_t(bits(trace, kTraceStream, 13)));
        if (ends) {
            auto &tokens = events_.tokens[engine];
            const uint64_t op_id = bits(trace, kTraceOpId, 64);
            events_.words.insert(events_.words.end(), {
                uint32_t(engine), uint32_t(bits(trace, kTraceOrder, 32)), uint32_t(bits(trace, kTracePc, 9)),
                uint32_t(bits(trace, kTraceWord, 32)), uint32_t(bits(trace, kTraceImage, 32)), uint32_t(op_id),
                uint32_t(op_id >> 32), uint32_t(bits(trace, kTraceChecksum, 32)), uint32_t(tokens.size())});
            events_.words.insert(events_.words.end(), tokens.begin(), tokens.end());
            tokens.clear();
            const int op = int(bits(trace, kTraceOp, 5));
            if (op == kOpMvm || op == kOpVec || op == kOpSend) --hands_[engine];
            ++events_.count;
        }
        return changed || ends;
    }

    bool core() {
        bool moves = false;
        refused_told_ = refuses_;
        if (wait_) --wait_;
        if (top_.op_valid && top_.op_ready) {
            const auto *op = reinterpret_cast<uint32_t *>(&top_.op_payload);
            taking_ = moves = true;
            given_.clear();
            const auto *range = reinterpret_cast<uint32_t *>(&top_.words);
            first_ = bits(range, kWordsFirst, kWordsBits), last_ = bits(range, kWordsLast, kWordsBits);
            wanted_ = op[0] & 1 ? kInputWords : kForwardWords;
            refuses_ = bits(op, kRefuseLow, kRefuseBits) == (1u << kRefuseBits) - 1;
            refused_told_ = false;
        }
        if (top_.codes_valid && top_.codes_ready) {
            given_.push_back(top_.codes_payload);
            moves = true;
            if (given_.size() == wanted_) product();
        }
        if (top_.drain_valid && top_.drain_ready) {
            moves = true;
            if (++drained_ == products_.front().size()) {
                products_.pop_front();
                drained_ = 0;
                wait_ = delay();
            }
        }
        return moves;
    }

    void product() {
        Words made(kOutputWords);
        for (int line = 0; line < kLines; ++line) {
            int64_t total = 0;
            for (size_t k = 0; k < 4 * given_.size(); ++k)
                total += int64_t(given_[k / 4] >> k % 4 * 8 & 255) * int32_t(weights_[k * kLines + line]);
            total >>= 2;
            total = total < -4095 ? -4095 : total > 4095 ? 4095 : total;
            made[line / 2] |= uint32_t(uint16_t(total)) << line % 2 * 16;
        }
        if (products_.empty()) drained_ = 0, wait_ = delay();
        if (kRanged) made = Words(made.begin() + first_, made.begin() + last_ + 1);
        products_.push_back(made);
        taking_ = false;
    }

    void tell(Words &result) {
        const size_t at = result.size();
        result.push_back(0);
        const long taken = std::max(0L, moved_ - settled_);  // the last may be before the first could be sent
        const uint32_t state = (control_ & 3) | uint32_t(cut_) << 2;
        result.insert(result.end(), {status_[0], status_[1], state, uint32_t(taken), uint32_t(overlap_)});
        for (const Words *one : {&retired_, &events_.words, &flits_, &masks_, &shadow_[kBufferArea]}) {
            result.push_back(uint32_t(one->size()));
            result.insert(result.end(), one->begin(), one->end());
        }
        result[at] = uint32_t(result.size() - at - 1);
    }

    // Words of the product that is drained; those that the one that is taken is to give.
    size_t drained_ = 0, first_ = 0, last_ = 0;
    bool refused_told_ = false;
    Sender *chosen_ = nullptr;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const Words programs = read_words(argv[1]), weights = read_words(argv[2]);
    Words results;
    Bench bench(weights);
    const std::clock_t start = std::clock();
    const uint32_t *at = programs.data(), *end = at + programs.size();
    while (at < end) at = bench.run(at, results);
    std::ofstream(argv[3], std::ios::binary).write(reinterpret_cast<const char *>(results.data()), 4 * results.size());
    std::printf("%ld cycles %.2f s\n", bench.cycles, double(std::clock() - start) / CLOCKS_PER_SEC);
}
