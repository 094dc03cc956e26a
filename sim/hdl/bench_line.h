// The other end of a serial line: sends bits and receives them.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "bench_design.h"

// The sender of bits into rx, and the receiver of those out of tx; times in 16ths of a cycle of a bit.
struct Line {
    bool used = false;
    Port rx, tx;
    uint32_t period = 0;
    std::deque<uint8_t> bytes;
    int bit = -1;
    uint64_t begin = 0, end = 0;
    std::vector<uint8_t> received;
    int got = -1;
    uint64_t start = 0, idle = 0;
    uint8_t value = 0;

    uint8_t level() {
        if (bit >= 0 && now >= end) {
            if (++bit == 10) {
                bit = -1;
                bytes.pop_front();
            } else {
                end = begin + (uint64_t(period) * (bit + 1) >> 4);
            }
        }
        if (bit < 0) {
            if (bytes.empty()) return 1;
            bit = 0;
            begin = now;
            end = begin + (period >> 4);
        }
        return bit == 0 ? 0 : bit == 9 ? 1 : bytes.front() >> (bit - 1) & 1;
    }

    void sample(uint8_t level) {
        idle = level && got < 0 ? idle + 1 : 0;
        if (got < 0) {
            if (!level) {
                got = 0;
                start = now;
            }
            return;
        }
        if (now != start + (uint64_t(period) * (2 * got + 1) >> 5)) return;
        if (got > 0 && got < 9) value = value >> 1 | level << 7;
        if (got == 9 && level) received.push_back(value);
        if (++got == 10) got = -1;
    }
};

