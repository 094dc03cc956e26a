// The master of a bus, driven by the commands of the host link (docs/design/link.md).
#pragma once
#include <cstdint>
#include <cstring>

#include "bench_design.h"

enum Status : uint32_t { kOk = 0, kBusError = 1, kTimeout = 2, kRefused = 3, kExpired = 4 };

constexpr int kPatience = 65536;

// Master of a bus. While it works, nothing else does.
struct Bus {
    Port request, request_valid, request_ready, response, response_valid;
    uint32_t address_bits;
    const uint8_t *at, *end;
    Words words;
    uint32_t done;

    static void edge() {
        top.clk = 1;
        top.eval();
        ++now;
        top.clk = 0;
        top.eval();
    }

    // Fields of the payloads, lowest first: address, write, data, strobe; and data, error.
    Status access(uint32_t address, bool write, uint32_t data, uint32_t strobe, uint32_t& word) {
        if (address >> address_bits) return kBusError;
        const uint32_t bits = address_bits - 2;
        const uint64_t payload = address >> 2 | uint64_t(write) << bits | uint64_t(data) << (bits + 1) |
                                 uint64_t(strobe) << (bits + 33);
        uint32_t halves[2] = {uint32_t(payload), uint32_t(payload >> 32)};
        request.put(halves);
        request_valid.set(1);
        top.eval();
        int left = kPatience;
        for (; !request_ready.value(); --left) {
            if (!left) return kTimeout;
            edge();
        }
        edge();
        request_valid.set(0);
        top.eval();
        for (; !response_valid.value(); --left) {
            if (!left) return kTimeout;
            edge();
        }
        response.get(halves);
        word = halves[0];
        edge();
        return halves[1] & 1 ? kBusError : kOk;
    }

    uint32_t take() {
        uint32_t value;
        std::memcpy(&value, at, 4);
        at += 4;
        return value;
    }

    Status poll(uint32_t address, uint32_t mask, int count) {
        uint32_t word = 0;
        for (int left = 256 * count; left; --left) {
            const Status status = access(address, false, 0, 15, word);
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
        const uint8_t code = at[0];
        uint8_t count = at[1];
        at += 2;
        uint32_t address = take();
        const uint32_t step = code & 4 ? 0 : 4;
        const int kind = code & 3;
        if (kind == 0 || !count) return kRefused;
        if (end - at < (kind == 1 ? 0 : kind == 2 ? 4 * count : 4)) return kRefused;
        if (kind == 3) return poll(address, take(), count);
        for (; count; --count, address += step) {
            uint32_t word = 0;
            const Status status = access(address, kind == 2, kind == 2 ? take() : 0, kind == 2 ? code >> 4 : 15, word);
            if (status != kOk) return status;
            if (kind == 1) words.push_back(word);
            ++done;
        }
        return kOk;
    }

    // The answer: status, accesses that were done, clock cycles since the begin (64 bits), and the words that were read.
    Words request_all(const uint8_t* bytes, size_t length) {
        at = bytes;
        end = bytes + length;
        words.clear();
        done = 0;
        Status status = kOk;
        while (status == kOk && at < end) status = command();
        Words answer = {status, done, uint32_t(now), uint32_t(now >> 32)};
        answer.insert(answer.end(), words.begin(), words.end());
        return answer;
    }
};

