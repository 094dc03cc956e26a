// The bus of a verilated board, driven over standard input and output.
//
// A request is its length in bytes (32 bits) and commands of the host link (docs/design/link.md). The answer is, in words
// of 32 bits: the status (0: all was done, else that of the link), the accesses that were done, clock cycles since reset
// (64 bits), the number of words that were read, and these.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

enum Status : uint32_t { kOk = 0, kBusError = 1, kTimeout = 2, kRefused = 3, kExpired = 4 };

constexpr int kPatience = 65536;
constexpr int kAddressBits = MHO_ADDRESS_WIDTH - 2;

Vtop top;
uint64_t now = 0;

void edge() {
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
    ++now;
}

// Fields of the payloads, lowest first: address, write, data, strobe; and data, error.
Status access(uint32_t address, bool write, uint32_t data, uint32_t strobe, uint32_t &word) {
    if (address >> MHO_ADDRESS_WIDTH) return kBusError;
    uint64_t payload = address >> 2;
    payload |= uint64_t(write) << kAddressBits | uint64_t(data) << (kAddressBits + 1);
    payload |= uint64_t(strobe) << (kAddressBits + 33);
    top.bus_request_payload = payload;
    top.bus_request_valid = 1;
    top.eval();
    int left = kPatience;
    for (; !top.bus_request_ready; --left) {
        if (!left) return kTimeout;
        edge();
    }
    edge();
    top.bus_request_valid = 0;
    top.eval();
    for (; !top.bus_response_valid; --left) {
        if (!left) return kTimeout;
        edge();
    }
    word = uint32_t(top.bus_response_payload);
    bool error = top.bus_response_payload >> 32 & 1;
    edge();
    return error ? kBusError : kOk;
}

struct Request {
    const uint8_t *at, *end;
    std::vector<uint32_t> words;
    uint32_t done = 0;

    uint32_t take() {
        uint32_t value;
        memcpy(&value, at, 4);
        at += 4;
        return value;
    }

    Status poll(uint32_t address, uint32_t mask, int count) {
        uint32_t word = 0;
        for (int left = 256 * count; left; --left) {
            Status status = access(address, false, 0, 15, word);
            if (status != kOk) return status;
            if (word & mask) {
                words.push_back(word);
                ++done;
                return kOk;
            }
        }
        return kExpired;
    }

    Status command() {
        if (end - at < 6) return kRefused;
        uint8_t code = at[0], count = at[1];
        at += 2;
        uint32_t address = take(), step = code & 4 ? 0 : 4;
        int kind = code & 3;
        if (kind == 0 || !count) return kRefused;
        if (end - at < (kind == 1 ? 0 : kind == 2 ? 4 * count : 4)) return kRefused;
        if (kind == 3) return poll(address, take(), count);
        for (; count; --count, address += step) {
            uint32_t word = 0;
            Status status = access(address, kind == 2, kind == 2 ? take() : 0, kind == 2 ? code >> 4 : 15, word);
            if (status != kOk) return status;
            if (kind == 1) words.push_back(word);
            ++done;
        }
        return kOk;
    }
};

}  // namespace

int main() {
    top.clk = 0;
    top.rst = 1;
    top.bus_request_valid = 0;
    top.bus_response_ready = 1;
    top.eval();
    for (int k = 0; k < 4; ++k) edge();
    top.rst = 0;
    top.eval();
    std::vector<uint8_t> bytes;
    uint32_t length;
    while (fread(&length, 4, 1, stdin) == 1) {
        bytes.resize(length);
        if (fread(bytes.data(), 1, length, stdin) != length) return 1;
        Request request{bytes.data(), bytes.data() + length, {}};
        Status status = kOk;
        while (status == kOk && request.at < request.end) status = request.command();
        uint32_t head[5] = {status, request.done, uint32_t(now), uint32_t(now >> 32), uint32_t(request.words.size())};
        fwrite(head, 4, 5, stdout);
        fwrite(request.words.data(), 4, request.words.size(), stdout);
        fflush(stdout);
    }
    return 0;
}
