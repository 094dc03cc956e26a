// Counts how often each bit of each signal of an FST trace changes between 0 and 1, and in how many cycles it is 1.
//
//   fst_toggles TRACE.fst [ONE OTHER [END]]
//
// A line a signal: its path with dots, its width, the changes of its bits, most significant first, then the cycles at
// whose end each is 1. With two names a line for each scope that has signals of both: "&", the scope, and the cycles at
// whose end a bit of the first is 1, one of the other, one of each. A cycle ends with a rising edge of the first signal
// called clk; what changes at an edge is after it. With the end of a path nothing is counted before a signal whose path
// ends so is 1, if there is one. The last line is "end", the time of the last change, and the cycles.
// The reader is GTKWave's, which comes with Verilator.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
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
    fstHandle one = 0, other = 0;
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

struct Trace {
    std::vector<Signal> signals;
    std::vector<Pair> pairs;
    std::vector<uint64_t> edges;
    size_t cycle = 0;
    uint64_t begin = 0;
    bool begun = false;

    /// Edges until a time, that at it among them. Times only grow.
    uint64_t until(uint64_t time) {
        while (cycle < edges.size() && edges[cycle] <= time) ++cycle;
        return cycle;
    }
};

static void clocked(void* user, uint64_t time, fstHandle, const unsigned char* value) {
    if (value[0] == '1') static_cast<Trace*>(user)->edges.push_back(time);
}

static void begins(void* user, uint64_t time, fstHandle, const unsigned char* value) {
    Trace& trace = *static_cast<Trace*>(user);
    if (trace.begun || value[0] != '1') return;
    trace.begun = true;
    trace.begin = time;
}

static void changed(void* user, uint64_t time, fstHandle handle, const unsigned char* value) {
    Trace& trace = *static_cast<Trace*>(user);
    Signal& signal = trace.signals[handle];
    const uint64_t cycle = trace.until(time);
    for (size_t k = 0; k < signal.changes.size(); ++k) {
        const char now = static_cast<char>(value[k]), before = signal.value[k];
        if ((now != '0' && now != '1') || now == before) continue;
        if (before != 'x' && time >= trace.begin) ++signal.changes[k];
        if (now == '1') signal.since[k] = cycle;
        if (before == '1') signal.ones[k] += cycle - signal.since[k];
        signal.value[k] = now;
    }
    for (size_t at : signal.pairs) {
        Pair& pair = trace.pairs[at];
        pair.set(trace.signals[pair.one].any(), trace.signals[pair.other].any(), cycle);
    }
}

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4 && argc != 5) return 2;
    void* reader = fstReaderOpen(argv[1]);
    if (!reader) return 1;
    Trace trace;
    trace.signals.resize(fstReaderGetMaxHandle(reader) + 1);
    struct Named {
        std::string path;
        fstHandle handle;
    };
    std::vector<Named> named;
    std::vector<std::string> scopes;
    std::map<std::string, Pair> pairs;
    fstHandle clock = 0;
    std::vector<fstHandle> starts;
    const std::string end = argc == 5 ? argv[4] : "";
    while (fstHier* entry = fstReaderIterateHier(reader)) {
        if (entry->htyp == FST_HT_SCOPE) {
            scopes.emplace_back(entry->u.scope.name);
        } else if (entry->htyp == FST_HT_UPSCOPE) {
            scopes.pop_back();
        } else if (entry->htyp == FST_HT_VAR && entry->u.var.typ != FST_VT_VCD_REAL) {
            const auto& variable = entry->u.var;
            std::string path;
            for (const std::string& scope : scopes) path += scope + ".";
            std::string name(variable.name);
            name = name.substr(0, name.find(' '));
            named.push_back({path + name, variable.handle});
            Signal& signal = trace.signals[variable.handle];
            signal.value.assign(variable.length, 'x');
            for (auto* counts : {&signal.changes, &signal.since, &signal.ones}) counts->assign(variable.length, 0);
            const std::string bare = name.substr(0, name.find('['));
            if (!clock && bare == "clk") clock = variable.handle;
            if (argc >= 4 && bare == argv[2]) pairs[path].one = variable.handle;
            if (argc >= 4 && bare == argv[3]) pairs[path].other = variable.handle;
            const std::string full = path + bare;
            if (argc == 5 && full.size() >= end.size() && full.substr(full.size() - end.size()) == end)
                starts.push_back(variable.handle);
        }
    }
    for (auto& [path, pair] : pairs) {
        if (!pair.one || !pair.other) continue;
        pair.scope = path.substr(0, path.size() - 1);
        for (fstHandle handle : {pair.one, pair.other}) trace.signals[handle].pairs.push_back(trace.pairs.size());
        trace.pairs.push_back(pair);
    }
    fstReaderClrFacProcessMaskAll(reader);
    if (clock) fstReaderSetFacProcessMask(reader, clock);
    fstReaderIterBlocks(reader, clocked, &trace, nullptr);
    fstReaderClrFacProcessMaskAll(reader);
    for (fstHandle handle : starts) fstReaderSetFacProcessMask(reader, handle);
    if (!starts.empty()) fstReaderIterBlocks(reader, begins, &trace, nullptr);
    if (trace.begun)
        trace.edges.erase(trace.edges.begin(), std::upper_bound(trace.edges.begin(), trace.edges.end(), trace.begin));
    fstReaderSetFacProcessMaskAll(reader);
    fstReaderIterBlocks(reader, changed, &trace, nullptr);
    const uint64_t cycles = trace.edges.size();
    for (const Named& one : named) {
        const Signal& signal = trace.signals[one.handle];
        std::printf("%s %zu", one.path.c_str(), signal.changes.size());
        for (uint64_t count : signal.changes) std::printf(" %llu", static_cast<unsigned long long>(count));
        for (size_t k = 0; k < signal.ones.size(); ++k) {
            const uint64_t rest = signal.value[k] == '1' ? cycles - signal.since[k] : 0;
            std::printf(" %llu", static_cast<unsigned long long>(signal.ones[k] + rest));
        }
        std::printf("\n");
    }
    for (Pair& pair : trace.pairs) {
        pair.set(false, false, cycles);
        std::printf("& %s", pair.scope.c_str());
        for (uint64_t count : pair.cycles) std::printf(" %llu", static_cast<unsigned long long>(count));
        std::printf("\n");
    }
    std::printf("end %llu %llu\n", static_cast<unsigned long long>(fstReaderGetEndTime(reader)),
                static_cast<unsigned long long>(cycles));
    fstReaderClose(reader);
    return 0;
}
