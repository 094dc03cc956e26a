// A port of a model that Verilator made.
#pragma once
#include <cstdint>
#include <cstring>

struct Port {
    int bits;
    void* data;

    int words() const { return (bits + 31) / 32; }
    // The sizes of a port are told apart here, so that no access to a narrow one calls a function.
    void get(uint32_t* to) const {
        if (bits > 64) std::memcpy(to, data, 4 * words());
        else if (bits > 32) std::memcpy(to, data, 8);
        else *to = value();
    }
    void put(const uint32_t* from) const {
        if (bits > 64) std::memcpy(data, from, 4 * words());
        else if (bits > 32) std::memcpy(data, from, 8);
        else set(*from);
    }
    bool differs(const uint32_t* from) const {
        if (bits > 64) return std::memcmp(data, from, 4 * words()) != 0;
        if (bits > 32) return std::memcmp(data, from, 8) != 0;
        return value() != *from;
    }
    // The lowest word.
    uint32_t value() const {
        if (bits <= 8) return *static_cast<const uint8_t*>(data);
        if (bits <= 16) return *static_cast<const uint16_t*>(data);
        uint32_t word;
        std::memcpy(&word, data, 4);
        return word;
    }
    // For a port of at most 32 bits.
    void set(uint32_t value) const {
        if (bits <= 8) *static_cast<uint8_t*>(data) = uint8_t(value);
        else if (bits <= 16) *static_cast<uint16_t*>(data) = uint16_t(value);
        else *static_cast<uint32_t*>(data) = value;
    }
};
