// A verilated top with the pins clk, rst, rx, tx and, unless MHO_RESET names another, link_reset, driven over standard
// input and output.
//
// Commands, each a letter and a number of 32 bits, little endian:
//   W n  then n bytes: send them into rx, after what is still being sent
//   R n  run until bytes have come out of tx and the line has been idle for three bytes, at most n cycles;
//        answers with the cycles that passed and the number of bytes (32 bits each), and the bytes
//   X n  hold that reset for n cycles; what is still being sent goes on
//   T n  run n cycles

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>

#include "Vtop.h"
#include "verilated.h"

#ifndef MHO_RESET
#define MHO_RESET link_reset
#endif

namespace {

Vtop top;
uint32_t period;  // of a bit, in 16ths of a cycle
uint64_t now = 0;

struct Sender {
    std::deque<uint8_t> bytes;
    int bit = -1;
    uint64_t begin = 0, end = 0;

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
} sender;

struct Receiver {
    std::string bytes;
    int bit = -1;
    uint64_t begin = 0, idle = 0;
    uint8_t value = 0;

    void sample(uint8_t level) {
        idle = level && bit < 0 ? idle + 1 : 0;
        if (bit < 0) {
            if (!level) {
                bit = 0;
                begin = now;
            }
            return;
        }
        if (now != begin + (uint64_t(period) * (2 * bit + 1) >> 5)) return;
        if (bit > 0 && bit < 9) value = value >> 1 | level << 7;
        if (bit == 9 && level) bytes.push_back(char(value));
        if (++bit == 10) bit = -1;
    }
} receiver;

void cycle() {
    top.rx = sender.level();
    top.clk = 0;
    top.eval();
    top.clk = 1;
    top.eval();
    receiver.sample(top.tx);
    ++now;
}

bool take(void *into, size_t size) { return fread(into, 1, size, stdin) == size; }

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    period = uint32_t(atoi(argv[1]));
    top.rx = 1;
    top.MHO_RESET = 0;
    top.rst = 1;
    for (int k = 0; k < 4; ++k) cycle();
    top.rst = 0;
    char command;
    uint32_t number;
    while (take(&command, 1) && take(&number, 4)) {
        if (command == 'W') {
            for (uint8_t byte; number && take(&byte, 1); --number) sender.bytes.push_back(byte);
        } else if (command == 'R') {
            uint64_t first = now;
            while (now - first < number && (receiver.bytes.empty() || receiver.idle < 30 * (period >> 4))) cycle();
            uint32_t head[2] = {uint32_t(now - first), uint32_t(receiver.bytes.size())};
            fwrite(head, 4, 2, stdout);
            fwrite(receiver.bytes.data(), 1, receiver.bytes.size(), stdout);
            fflush(stdout);
            receiver.bytes.clear();
        } else if (command == 'X' || command == 'T') {
            top.MHO_RESET = command == 'X';
            for (; number; --number) cycle();
            top.MHO_RESET = 0;
        }
    }
    return 0;
}
