// Drives the ports of verilated Verilog as it is told over standard input, and tells over standard output what came.
//
// `ports.h`, which is generated, lists the ports; sim/build/bench.py is the other side. A command is its code, the number of
// its words and these, all of 32 bits; some are answered, by the number of words and these. What may be at the ports:
//   inputs    streams that take the records of queues, in their order, each after a pause; what answers a transfer some
//             cycles later is kept
//   outputs   streams from which words are taken, with a pause behind each
//   probes    values of some ports in the cycles in which the first is not 0, or in which one of them has changed
//   replies   a port that gets the next value of a list when another one is not 0
//   a bus     request and response, driven by the commands of the host link (bench_bus.h)
//   a line    a serial line, bit by bit (bench_line.h)

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <vector>

#include "bench_bus.h"
#include "bench_design.h"
#include "bench_line.h"

namespace {

constexpr uint32_t kWait = 0xFFFFFFFF;  // in place of a stream: wait until a port has had a value for some cycles

struct Input {
    Port payload, valid, ready, answer;
    uint32_t latency;                // from a transfer to its answer; 0: there is none
    std::deque<uint64_t> due;
    Words answers;
};

struct Queue {
    Words records;                   // stream, pause, payload
    size_t at = 0;
    bool repeat = false;
    uint32_t pause = 0, quiet = 0;
    Words sent;                      // the cycle of each transfer

    bool empty() const { return at == records.size(); }
    void add(const uint32_t* from, size_t count) {
        const bool was = empty();
        records.insert(records.end(), from, from + count);
        if (was && !empty()) pause = records[at + 1];
    }
    void next(size_t words) {
        at += 2 + words;
        if (empty() && repeat) at = 0;
        quiet = 0;
        if (!empty()) pause = records[at + 1];
    }
};

struct Output {
    Port payload, valid, ready;
    uint32_t stall, wait;
    Words found;                     // cycle, payload
};

struct Probe {
    bool changes;
    std::vector<Port> ports;
    Words values, last, found;       // cycle, values
};

struct Reply {
    Port strobe, port;
    Words values;
    size_t at;
};

std::vector<Input> inputs;
std::vector<Output> outputs;
std::vector<Queue> queues;
std::vector<Probe> probes;
std::vector<Reply> replies;
Line line;
Bus bus;

void offer(Queue& queue) {
    if (queue.empty() || queue.pause || queue.records[queue.at] == kWait) return;
    const Input& input = inputs[queue.records[queue.at]];
    input.payload.put(&queue.records[queue.at + 2]);
    input.valid.set(1);
}

void advance(Queue& queue) {
    if (queue.empty()) return;
    if (queue.pause) {
        queue.pause--;
        return;
    }
    const uint32_t* record = &queue.records[queue.at];
    if (record[0] == kWait) {
        queue.quiet = ports[record[2]].value() == record[3] ? queue.quiet + 1 : 0;
        if (queue.quiet < record[4]) return;
        queue.sent.push_back(uint32_t(now));
        return queue.next(3);
    }
    Input& input = inputs[record[0]];
    if (!input.ready.value()) return;
    queue.sent.push_back(uint32_t(now));
    if (input.latency) input.due.push_back(now + input.latency);
    queue.next(input.payload.words());
}

void look(Probe& probe) {
    if (!probe.changes && !probe.ports[0].value()) return;
    auto* at = probe.values.data();
    for (const Port& port : probe.ports) {
        port.get(at);
        at += port.words();
    }
    if (probe.changes && probe.values == probe.last) return;
    probe.found.push_back(uint32_t(now));
    probe.found.insert(probe.found.end(), probe.values.begin(), probe.values.end());
    probe.last = probe.values;
}

void cycle() {
    for (Input& input : inputs) input.valid.set(0);
    for (Queue& queue : queues) offer(queue);
    for (Output& output : outputs) output.ready.set(!output.wait);
    if (line.used) line.rx.set(line.level());
    top.eval();
    for (Input& input : inputs) {
        if (input.due.empty() || input.due.front() != now) continue;
        input.due.pop_front();
        input.answers.push_back(input.answer.value());
    }
    for (Queue& queue : queues) advance(queue);
    for (Output& output : outputs) {
        if (output.wait) {
            output.wait--;
        } else if (output.valid.value()) {
            output.found.push_back(uint32_t(now));
            output.found.resize(output.found.size() + output.payload.words());
            output.payload.get(&*output.found.end() - output.payload.words());
            output.wait = output.stall;
        }
    }
    for (Probe& probe : probes) look(probe);
    for (Reply& reply : replies)
        if (reply.strobe.value() && reply.at < reply.values.size()) reply.port.set(reply.values[reply.at++]);
    top.clk = 1;
    top.eval();
    if (line.used) line.sample(line.tx.value());
    ++now;
    top.clk = 0;
}

// Queues that do not repeat have been sent and answered.
bool sent() {
    for (const Queue& queue : queues)
        if (!queue.repeat && !queue.empty()) return false;
    for (const Input& input : inputs)
        if (!input.due.empty()) return false;
    return true;
}

enum Until : uint32_t { kLimit = 0, kSent = 1, kPort = 2, kSeen = 3, kHeard = 4 };

// Whether it ended before the limit: everything is sent, and a port has had a value for some cycles; the latter alone; a probe
// has found so many; bytes have come over the line, which has been idle for two bits.
bool run(uint64_t limit, uint32_t until, uint32_t index, uint32_t value, uint32_t quiet) {
    uint32_t still = 0;
    for (const uint64_t end = now + limit;;) {
        bool done = false;
        if (until == kSent) done = sent() && still >= quiet;
        if (until == kPort) done = still >= quiet;
        if (until == kSeen) done = probes[index].found.size() >= value;
        if (until == kHeard) done = !line.received.empty() && line.idle >= 2 * (line.period >> 4);
        if (done || now == end) return done;
        cycle();
        if (until == kSent || until == kPort) still = !quiet || ports[index].value() == value ? still + 1 : 0;
    }
}

// ---- commands -----------------------------------------------------------------------------------------------------------

void answer(const Words& words) {
    const uint32_t count = uint32_t(words.size());
    std::fwrite(&count, 4, 1, stdout);
    std::fwrite(words.data(), 4, count, stdout);
    std::fflush(stdout);
}

Words taken(Words& words) {
    Words all;
    all.swap(words);
    return all;
}

// Words of bytes, after their number.
Words packed(std::vector<uint8_t>& bytes) {
    Words words(1 + (bytes.size() + 3) / 4);
    words[0] = uint32_t(bytes.size());
    std::memcpy(words.data() + 1, bytes.data(), bytes.size());
    bytes.clear();
    return words;
}

enum Command : uint32_t {
    kSet, kGet, kInput, kOutput, kProbe, kReply, kQueue, kRun, kTakeSent, kTakeOutput, kTakeProbe, kTakeAnswers, kBus,
    kRequest, kLine, kSend, kListen,
};

void execute(uint32_t command, const Words& w) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(w.data() + 1);
    switch (command) {
        case kSet: return ports[w[0]].put(&w[1]);
        case kGet: {
            Words words(ports[w[0]].words());
            ports[w[0]].get(words.data());
            return answer(words);
        }
        case kInput: return inputs.push_back({ports[w[0]], ports[w[1]], ports[w[2]], ports[w[3]], w[4], {}, {}});
        case kOutput: return outputs.push_back({ports[w[0]], ports[w[1]], ports[w[2]], w[3], 0, {}});
        case kProbe: {
            Probe probe{w[0] != 0, {}, {}, {}, {}};
            for (size_t k = 1; k < w.size(); ++k) {
                probe.ports.push_back(ports[w[k]]);
                probe.values.resize(probe.values.size() + ports[w[k]].words());
            }
            return probes.push_back(probe);
        }
        case kReply: return replies.push_back({ports[w[0]], ports[w[1]], Words(w.begin() + 2, w.end()), 0});
        case kQueue:
            if (queues.size() <= w[0]) queues.resize(w[0] + 1);
            queues[w[0]].repeat = w[1] != 0;
            return queues[w[0]].add(&w[2], w.size() - 2);
        case kRun: {
            const uint64_t first = now;
            const bool ended = run(w[0] | uint64_t(w[1]) << 32, w[2], w[3], w[4], w[5]);
            return answer({ended, uint32_t(now - first), uint32_t((now - first) >> 32)});
        }
        case kTakeSent: return answer(taken(queues[w[0]].sent));
        case kTakeOutput: return answer(taken(outputs[w[0]].found));
        case kTakeProbe: return answer(taken(probes[w[0]].found));
        case kTakeAnswers: return answer(taken(inputs[w[0]].answers));
        case kBus:
            bus = {ports[w[0]], ports[w[1]], ports[w[2]], ports[w[3]], ports[w[4]], w[5], nullptr, nullptr, {}, 0};
            return;
        case kRequest: return answer(bus.request_all(bytes, w[0]));
        case kLine:
            line.used = true;
            line.rx = ports[w[0]];
            line.tx = ports[w[1]];
            line.period = w[2];
            return;
        case kSend: line.bytes.insert(line.bytes.end(), bytes, bytes + w[0]); return;
        case kListen: return answer(packed(line.received));
    }
}

}  // namespace

int main() {
    for (uint32_t head[2]; std::fread(head, 4, 2, stdin) == 2;) {
        Words words(head[1]);
        if (std::fread(words.data(), 4, words.size(), stdin) != words.size()) return 1;
        execute(head[0], words);
    }
    return 0;
}
