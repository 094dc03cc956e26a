"""The header of a model's clock edge, in parts or as Verilator has it: both have the same functions.

Models are those of a group: ``some`` by number, ``which`` with the bit of each that is meant. ``marks`` has a word
for each part, with the bits of the models for which it must be run, and behind them one with those that reached the
outside where a condition said so. Parts before ``FIRST`` are run for inputs alone. ``begin`` is called once for each
model behind its first evaluation, ``look`` where its inputs may have changed, ``settle`` for what follows from that
without a clock edge, and ``edge`` for a rising edge of ``clk``, ``fresh`` being the models whose inputs may have
changed. ``NAME__Kind`` has all of it under names that do not have the model's, for templates.
"""

from collections.abc import Sequence

__all__ = ["parts_header", "whole_header"]

_FUNCTIONS = """\
void NAME__begin(NAME& model, NAME__Seen& seen, uint64_t* marks, uint64_t bit);
void NAME__look(NAME& model, NAME__Seen& seen, uint64_t* marks, uint64_t bit);
void NAME__settle(NAME__Model* const* some, uint64_t which, uint64_t* marks);
void NAME__edge(NAME__Model* const* some, uint64_t which, uint64_t fresh, uint64_t* marks);

#ifndef MHO_RUN
template <typename T>
inline bool mho_differ(const T& one, const T& other) {
    return std::memcmp(&one, &other, sizeof(T)) != 0;
}

#define MHO_RUN(part, function)                      \\
    if (uint64_t left = marks[part] & which) {       \\
        marks[part] ^= left;                         \\
        do {                                         \\
            const int k = __builtin_ctzll(left);     \\
            const uint64_t bit = left & -left;       \\
            left ^= bit;                             \\
            function(*some[k], marks, bit);          \\
        } while (left);                              \\
    }
#endif
"""

_MODEL = """\
using NAME__Model = NAME___024root;
inline NAME__Model* NAME__model(NAME& model) { return model.rootp; }
"""

_WHOLE = """\
#include "strobes.h"

using NAME__Model = NAME;
inline NAME__Model* NAME__model(NAME& model) { return &model; }
struct NAME__Seen {};
inline void NAME__begin(NAME&, NAME__Seen&, uint64_t*, uint64_t) {}
inline void NAME__look(NAME&, NAME__Seen&, uint64_t*, uint64_t) {}
inline void NAME__settle(NAME__Model* const* some, uint64_t which, uint64_t*) {
    for (; which; which &= which - 1) some[__builtin_ctzll(which)]->eval();
}
inline void NAME__edge(NAME__Model* const* some, uint64_t which, uint64_t, uint64_t* marks) {
    for (; which; which &= which - 1) {
        NAME& model = *some[__builtin_ctzll(which)];
        const uint64_t before = mho_strobes;
        model.clk = 0;
        model.eval();
        model.clk = 1;
        model.eval();
        if (mho_strobes != before) marks[0] |= which & -which;
    }
}
"""


_KIND = """
struct NAME__Kind {
    using Model = NAME;
    using Root = NAME___024root;
    using Part = NAME__Model;
    using Seen = NAME__Seen;
    static constexpr int kFirst = FIRST, kParts = PARTS;
    static Part* part(Model& model) { return NAME__model(model); }
    static void begin(Model& model, Seen& seen, uint64_t* marks, uint64_t bit) { NAME__begin(model, seen, marks, bit); }
    static void look(Model& model, Seen& seen, uint64_t* marks, uint64_t bit) { NAME__look(model, seen, marks, bit); }
    static void settle(Part* const* some, uint64_t which, uint64_t* marks) { NAME__settle(some, which, marks); }
    static void edge(Part* const* some, uint64_t which, uint64_t fresh, uint64_t* marks) {
        NAME__edge(some, which, fresh, marks);
    }
};
"""


def parts_header(name: str, first: int, count: int, ports: Sequence[str]) -> str:
    """The header where an edge has parts, from ``first`` on; ``ports`` are those that are looked at."""
    members = "".join(f"    decltype({name}___024root::{port}) {port};\n" for port in ports)
    return _header(name, first, count, f"{_MODEL}struct NAME__Seen {{\n{members}}};\n{_FUNCTIONS}")


def whole_header(name: str) -> str:
    """The header where a model is evaluated whole: there are no parts."""
    return _header(name, 0, 0, _WHOLE)


def _header(name: str, first: int, count: int, text: str) -> str:
    lines = ["// A clock edge of several models. Generated.", "#pragma once",
             "#include <cstdint>", "#include <cstring>", "", f'#include "{name}.h"',
             f'#include "{name}___024root.h"', "",
             f"#define {name.upper()}_FIRST {first}", f"#define {name.upper()}_PARTS {count}", ""]
    kind = _KIND.replace("FIRST", str(first)).replace("PARTS", str(count))
    return "\n".join(lines) + f"{text}{kind}".replace("NAME", name)
