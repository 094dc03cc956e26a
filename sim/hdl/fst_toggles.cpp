// Counts how often each bit of each signal of an FST trace changes between 0 and 1.
//
//   fst_toggles TRACE.fst
//
// A line a signal: its path with dots, its width, then the changes of its bits, most significant first; the last line
// is "end" and the time of the last change. The reader is GTKWave's, which comes with Verilator.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "fstapi.h"

struct Signal {
    std::string value;
    std::vector<uint64_t> changes;
};

static void changed(void* user, uint64_t, fstHandle handle, const unsigned char* value) {
    Signal& signal = (*static_cast<std::vector<Signal>*>(user))[handle];
    for (size_t k = 0; k < signal.changes.size(); ++k) {
        const char now = static_cast<char>(value[k]);
        if (now != '0' && now != '1') continue;
        if (signal.value[k] != now && signal.value[k] != 'x') ++signal.changes[k];
        signal.value[k] = now;
    }
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    void* trace = fstReaderOpen(argv[1]);
    if (!trace) return 1;
    std::vector<Signal> signals(fstReaderGetMaxHandle(trace) + 1);
    struct Named {
        std::string path;
        fstHandle handle;
    };
    std::vector<Named> named;
    std::vector<std::string> scopes;
    while (fstHier* entry = fstReaderIterateHier(trace)) {
        if (entry->htyp == FST_HT_SCOPE) {
            scopes.emplace_back(entry->u.scope.name);
        } else if (entry->htyp == FST_HT_UPSCOPE) {
            scopes.pop_back();
        } else if (entry->htyp == FST_HT_VAR && entry->u.var.typ != FST_VT_VCD_REAL) {
            const auto& variable = entry->u.var;
            std::string path;
            for (const std::string& scope : scopes) path += scope + ".";
            std::string name(variable.name);
            named.push_back({path + name.substr(0, name.find(' ')), variable.handle});
            signals[variable.handle].value.assign(variable.length, 'x');
            signals[variable.handle].changes.assign(variable.length, 0);
        }
    }
    fstReaderSetFacProcessMaskAll(trace);
    fstReaderIterBlocks(trace, changed, &signals, nullptr);
    for (const Named& one : named) {
        const Signal& signal = signals[one.handle];
        std::printf("%s %zu", one.path.c_str(), signal.changes.size());
        for (uint64_t count : signal.changes) std::printf(" %llu", static_cast<unsigned long long>(count));
        std::printf("\n");
    }
    std::printf("end %llu\n", static_cast<unsigned long long>(fstReaderGetEndTime(trace)));
    fstReaderClose(trace);
    return 0;
}
