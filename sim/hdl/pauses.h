// Random pauses of a bench, shared by its streams and its macro.
#pragma once
#include <cstdint>

struct Pauses {
    uint32_t random = 1;
    int32_t gap = 0, stall = 0, hold = 0;  // of 256 cycles, how many are idle on average

    bool chance(int32_t of_256) {
        if (!of_256) return false;
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        return int32_t(random >> 24) < of_256;
    }
};
