// Counts how often each bit of each signal of a trace, FST or VCD, changes between 0 and 1, and in how many cycles it is 1.
//
//   fst_toggles TRACE MEGABYTES SECONDS ONE OTHER END
//
// A line a signal: "signal", its path with dots, its width, the changes of its bits, most significant first, then the
// cycles at whose end each is 1. Then a line for each scope that has signals ONE and OTHER: "memory", the scope, and the
// cycles at whose end a bit of the first is 1, one of the other, one of each. A cycle ends with a rising edge of the
// first signal called clk; what changes at an edge is after it. Nothing is counted before a signal whose path ends in
// END is 1, if there is one. The last line is "end" and the cycles. More memory, processor time or signals than are
// allowed end the program. The reader of FST is GTKWave's, which comes with Verilator and trusts what it reads; that of
// VCD is here, and looks at nothing but text.

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fstapi.h"

struct Signal {
    std::string value;
    std::vector<uint64_t> changes, since, ones;
    std::vector<size_t> pairs;
    bool any() const { return value.find('1') != std::string::npos; }
};

struct Pair {
    std::string scope;
    size_t one = 0, other = 0;
    bool on[3] = {};
    uint64_t since[3] = {}, cycles[3] = {};

    /// From a cycle on a bit of each is 1 or not.
    void set(bool first, bool second, uint64_t cycle) {
        const bool now[3] = {first, second, first && second};
        for (int k = 0; k < 3; ++k) {
            if (on[k]) cycles[k] += cycle - since[k];
            on[k] = now[k];
            since[k] = cycle;
        }
    }
};

/// Bits of all names of signals together, letters of their paths, and scopes in scopes.
static const size_t MOST_BITS = 1u << 24, MOST_LETTERS = 1u << 28, DEEPEST = 1000;

struct Named {
    std::string path;
    size_t handle;
};

struct Trace {
    std::vector<Signal> signals;
    std::vector<Named> named;
    std::vector<Pair> pairs;
    std::vector<std::string> scopes;
    std::map<std::string, Pair> scoped;
    std::vector<size_t> starts;
    std::vector<uint64_t> edges;
    std::string one, other, end;
    size_t clock = 0, cycle = 0, bits = 0, letters = 0;
    uint64_t begin = 0;
    bool begun = false;

    void enter(std::string name) {
        for (char& each : name) if (each <= ' ') each = '_';
        if (scopes.size() == DEEPEST) throw std::runtime_error("scopes are too deep");
        scopes.push_back(name);
    }

    void leave() {
        if (scopes.empty()) throw std::runtime_error("a scope ends that has not begun");
        scopes.pop_back();
    }

    /// A name of a signal; handles are from 1 on.
    void declare(std::string name, size_t handle, size_t length) {
        std::string path;
        for (const std::string& scope : scopes) path += scope + ".";
        name = name.substr(0, name.find(' '));
        for (char& each : name) if (each <= ' ') each = '_';
        // A range is none of the name; an index of an array is.
        const size_t range = name.rfind('[');
        if (range != std::string::npos && name.find(':', range) != std::string::npos) name.erase(range);
        if (!length) return;
        bits += length;
        letters += path.size() + name.size();
        if (bits > MOST_BITS || letters > MOST_LETTERS || handle == 0) throw std::runtime_error("there are too many signals");
        if (handle >= signals.size()) signals.resize(handle + 1);
        Signal& signal = signals.at(handle);
        if (!signal.value.empty() && signal.value.size() != length) throw std::runtime_error("a signal has two widths");
        named.push_back({path + name, handle});
        signal.value.assign(length, 'x');
        for (auto* counts : {&signal.changes, &signal.since, &signal.ones}) counts->assign(length, 0);
        const std::string bare = name.substr(0, name.find('['));
        if (!clock && bare == "clk") clock = handle;
        if (bare == one) scoped[path].one = handle;
        if (bare == other) scoped[path].other = handle;
        const std::string full = path + bare;
        if (full.size() >= end.size() && full.substr(full.size() - end.size()) == end) starts.push_back(handle);
    }

    void declared() {
        for (auto& [path, pair] : scoped) {
            if (!pair.one || !pair.other) continue;
            pair.scope = path.substr(0, path.size() - !path.empty());
            for (size_t handle : {pair.one, pair.other}) signals.at(handle).pairs.push_back(pairs.size());
            pairs.push_back(pair);
        }
    }

    /// Edges until a time, that at it among them. Times only grow.
    uint64_t until(uint64_t time) {
        while (cycle < edges.size() && edges[cycle] <= time) ++cycle;
        return cycle;
    }

    void changed(uint64_t time, size_t handle, const char* value) {
        Signal& signal = signals.at(handle);
        if (strnlen(value, signal.value.size()) < signal.value.size()) return;
        const uint64_t cycle = until(time);
        for (size_t k = 0; k < signal.changes.size(); ++k) {
            const char now = value[k], before = signal.value[k];
            if ((now != '0' && now != '1') || now == before) continue;
            if (before != 'x' && time >= begin) ++signal.changes[k];
            if (now == '1') signal.since[k] = cycle;
            if (before == '1') signal.ones[k] += cycle - signal.since[k];
            signal.value[k] = now;
        }
        for (size_t at : signal.pairs) {
            Pair& pair = pairs.at(at);
            pair.set(signals.at(pair.one).any(), signals.at(pair.other).any(), cycle);
        }
    }

    void print() {
        const uint64_t cycles = edges.size();
        for (const Named& each : named) {
            const Signal& signal = signals.at(each.handle);
            std::printf("signal %s %zu", each.path.c_str(), signal.changes.size());
            for (uint64_t count : signal.changes) std::printf(" %llu", static_cast<unsigned long long>(count));
            for (size_t k = 0; k < signal.ones.size(); ++k) {
                const uint64_t rest = signal.value[k] == '1' ? cycles - signal.since[k] : 0;
                std::printf(" %llu", static_cast<unsigned long long>(signal.ones[k] + rest));
            }
            std::printf("\n");
        }
        for (Pair& pair : pairs) {
            pair.set(false, false, cycles);
            std::printf("memory %s", pair.scope.c_str());
            for (uint64_t count : pair.cycles) std::printf(" %llu", static_cast<unsigned long long>(count));
            std::printf("\n");
        }
        std::printf("end %llu\n", static_cast<unsigned long long>(cycles));
    }
};

using Change = std::function<void(uint64_t time, size_t handle, const char* value)>;

/// What changes of some signals, or of all: called once for each pass over the file.
using Changes = std::function<void(const std::vector<size_t>* handles, const Change& change)>;

/// Clock and start are looked at first, since they say what is counted.
static void count(Trace& trace, const Changes& changes) {
    trace.declared();
    const std::vector<size_t> clocks{trace.clock};
    if (trace.clock) changes(&clocks, [&](uint64_t time, size_t, const char* value) {
        if (value[0] == '1') trace.edges.push_back(time);
    });
    if (!trace.starts.empty()) changes(&trace.starts, [&](uint64_t time, size_t, const char* value) {
        if (trace.begun || value[0] != '1') return;
        trace.begun = true;
        trace.begin = time;
    });
    if (trace.begun)
        trace.edges.erase(trace.edges.begin(), std::upper_bound(trace.edges.begin(), trace.edges.end(), trace.begin));
    changes(nullptr, [&](uint64_t time, size_t handle, const char* value) { trace.changed(time, handle, value); });
}

static void fst_change(void* user, uint64_t time, fstHandle handle, const unsigned char* value) {
    (*static_cast<const Change*>(user))(time, handle, reinterpret_cast<const char*>(value));
}

static bool read_fst(const char* path, Trace& trace) {
    void* reader = fstReaderOpen(path);
    if (!reader) return false;
    while (fstHier* entry = fstReaderIterateHier(reader)) {
        if (entry->htyp == FST_HT_SCOPE) trace.enter(entry->u.scope.name);
        else if (entry->htyp == FST_HT_UPSCOPE) trace.leave();
        else if (entry->htyp == FST_HT_VAR && entry->u.var.typ != FST_VT_VCD_REAL) {
            if (entry->u.var.handle > fstReaderGetMaxHandle(reader)) throw std::runtime_error("there is no such signal");
            trace.declare(entry->u.var.name, entry->u.var.handle, entry->u.var.length);
        }
    }
    trace.signals.resize(std::max<size_t>(trace.signals.size(), fstReaderGetMaxHandle(reader) + 1));
    count(trace, [&](const std::vector<size_t>* handles, const Change& change) {
        fstReaderClrFacProcessMaskAll(reader);
        if (handles) for (size_t handle : *handles) fstReaderSetFacProcessMask(reader, handle);
        else fstReaderSetFacProcessMaskAll(reader);
        fstReaderIterBlocks(reader, fst_change, const_cast<Change*>(&change), nullptr);
    });
    fstReaderClose(reader);
    return true;
}

static bool read_vcd(const char* path, Trace& trace) {
    std::ifstream file(path);
    std::unordered_map<std::string, std::pair<size_t, size_t>> codes;  // handle and width
    std::string word, kind, code, name;
    size_t width = 0;
    bool defined = false;
    const auto section = [&] { while (file >> word && word != "$end") {} };
    while (!defined && file >> word) {
        if (word == "$scope") {
            if (!(file >> kind >> name) || kind == "$end" || name == "$end") return false;
            trace.enter(name);
            section();
        } else if (word == "$upscope") {
            trace.leave();
            section();
        } else if (word == "$var") {
            if (!(file >> kind >> width >> code >> name) || name == "$end") return false;
            section();
            if (kind == "real" || kind == "realtime" || kind == "string") width = 0;
            const auto known = codes.emplace(code, std::make_pair(codes.size() + 1, width)).first->second;
            if (width) trace.declare(name, known.first, width);
        } else if (word == "$enddefinitions") {
            section();
            defined = true;
        } else if (word[0] == '$') {
            section();
        } else {
            return false;
        }
    }
    if (!defined) return false;
    const std::streampos start = file.tellg();
    trace.signals.resize(std::max(trace.signals.size(), codes.size() + 1));
    bool legal = true;
    count(trace, [&](const std::vector<size_t>* handles, const Change& change) {
        std::vector<bool> wanted(trace.signals.size(), !handles);
        if (handles) for (size_t handle : *handles) wanted.at(handle) = true;
        file.clear();
        file.seekg(start);
        uint64_t time = 0;
        std::string line, value;
        while (file >> word) {
            const char first = word[0];
            if (first == '#') {
                const uint64_t next = std::strtoull(word.c_str() + 1, nullptr, 10);
                legal &= next >= time;
                time = next;
            } else if (first == '$') {
                if (word == "$comment") section();
            } else if (first == 'r' || first == 'R' || first == 's' || first == 'S') {
                file >> code;
            } else {
                const bool vector = first == 'b' || first == 'B';
                value = vector ? word.substr(1) : word.substr(0, 1);
                if (vector) file >> code;
                else code = word.substr(1);
                const auto found = codes.find(code);
                if (found == codes.end() || value.empty()) {
                    legal = false;
                    return;
                }
                const auto [handle, bits] = found->second;
                if (!bits || !wanted[handle]) continue;
                if (value.size() > bits) value.erase(0, value.size() - bits);
                // Left out are zeros, or more of what is unknown.
                value.insert(0, bits - value.size(), value[0] == '1' ? '0' : value[0]);
                change(time, handle, value.c_str());
            }
        }
    });
    return legal;
}

static void allow(int what, rlim_t most) {
    const rlimit limit{most, most};
    setrlimit(what, &limit);
}

int main(int argc, char** argv) {
    if (argc != 7) return 2;
    allow(RLIMIT_AS, std::strtoull(argv[2], nullptr, 10) << 20);
    allow(RLIMIT_CPU, std::strtoull(argv[3], nullptr, 10));
    allow(RLIMIT_FSIZE, rlim_t(1) << 32);
    allow(RLIMIT_CORE, 0);
    allow(RLIMIT_NPROC, 0);
    Trace trace;
    trace.one = argv[4], trace.other = argv[5], trace.end = argv[6];
    try {
        const bool text = std::ifstream(argv[1]).peek() == '$';
        if (!(text ? read_vcd(argv[1], trace) : read_fst(argv[1], trace))) return 1;
        trace.print();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return std::fflush(stdout) ? 1 : 0;
}
