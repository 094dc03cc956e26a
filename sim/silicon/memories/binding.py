"""The memories of generated Verilog on macros of one port that a chip's description names.

The wrapper of a memory keeps its ports. Within, macros stand side by side and one behind the other, as the tiling of
least area has them; memories that no macro can be, or that are small, stay flip-flops.
"""

import itertools
import re
import textwrap
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mho.hw.config import Chip
from mho.hw.config.macros.memory import MemorySection
from mho.macro_models.errors import InputError
from mho.rtl_gen.generate import Binding, BoundMemories
from mho.sim.silicon.memories.macro import MemoryMacro, read_memory_macros
from mho.sim.silicon.memories.tiling import Shape, Tiling, cheapest

_WRAPPER = re.compile(r"^module (\w*?mem_\w+_1p) \(\n(.*?)^\);\n.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_TEST = re.compile("bist|test", re.IGNORECASE)
"""In the names of inputs of a self-test, which are tied to 0."""


def bind_memories(chip: Chip, texts: Mapping[str, str]) -> BoundMemories:
    """The memories of a chip's Verilog on the macros of ``memory.files``.

    Raises InputError if a file is no Liberty file of memories, or ``memory.pins`` lacks a pin of one of them.
    """
    memory, folder = chip.memory, chip.folder or Path()
    macros = [macro for name in memory.files for macro in read_memory_macros(folder / name)]
    bound, used, rows = dict(texts), dict[str, MemoryMacro](), list[dict[str, object]]()
    for name, text in texts.items():
        if (found := _WRAPPER.search(text)) is None:
            continue
        shape = Shape.of(found[1], chip.verilog.prefix)
        tiling = cheapest(shape, macros) if shape.depth * shape.width >= memory.least_bits else None
        if tiling is None:
            continue
        used |= {macro.name: macro for macro in tiling.macros}
        body = _Body(memory, tiling)
        head = text[: found.start(2)] + re.sub(r"\breg  ", "wire ", found[2])
        bound[name] = f"{head});\n\n{body.text()}\nendmodule\n"
        rows.append({"memory": found[1], "made_of": tiling.named(), "instances": body.instances})
    stubs = {name: _stub(macro, memory) for name, macro in sorted(used.items())}
    return BoundMemories(texts=bound, stubs=stubs, rows=rows)


def binding(chip: Chip) -> Binding | None:
    """What :func:`mho.rtl_gen.generate` takes to put the memories of a chip on macros; None if it names none."""
    return partial(bind_memories, chip) if chip.memory.files else None


def _pin(memory: MemorySection, role: str) -> str:
    return memory.pins.get(role, "").removeprefix("!")


def _stub(macro: MemoryMacro, memory: MemorySection) -> str:
    """The black box of a macro."""
    widths = macro.inputs | {_pin(memory, "read_data"): macro.width}
    ports = []
    for pin, width in widths.items():
        way = "output" if pin == _pin(memory, "read_data") else "input "
        ports.append(f"  {way} wire {f'[{width - 1}:0] ' if width > 1 else ''}{pin}")
    listed = ",\n".join(ports)
    return f"// Black box of a memory macro.\n(* blackbox *)\nmodule {macro.name} (\n{listed}\n);\nendmodule\n"


class _Body:
    """Writes the inside of a wrapper."""

    def __init__(self, memory: MemorySection, tiling: Tiling) -> None:
        self.memory, self.tiling, self.shape = memory, tiling, tiling.shape
        self.instances: list[str] = []
        self.word_bits = (tiling.words - 1).bit_length()
        self.address_bits = (tiling.shape.depth - 1).bit_length()

    def text(self) -> str:
        """Wires of the port, the macros of each column, and the word that was read."""
        write = "|write_enable" if self.shape.lanes > 1 else "write_enable"
        lines = [
            f"  wire writes = {write};", "  wire accesses = writes | read_enable;",
            "  wire reads = read_enable & ~writes;",
            f"  wire [{self.address_bits - 1}:0] address = writes ? write_address : read_address;",
        ]
        low, columns = 0, []
        for number, column in enumerate(self.tiling.columns):
            width = column[0][0].width
            lines += ["", *self._column(number, [macro for macro, _ in column], low)]
            columns.append(f"column_{number}")
            low += width
        whole = ", ".join(reversed(columns))
        if self.tiling.words == 1:
            lines += ["", f"  wire [{low - 1}:0] row = {{{whole}}};",
                      f"  assign read_data = row[{self.shape.width - 1}:0];"]
        else:
            lines += ["", f"  reg [{self.word_bits - 1}:0] word;", *_kept("word", f"address[{self.word_bits - 1}:0]"),
                      f"  assign read_data = column_0[word * {self.shape.width} +: {self.shape.width}];"]
        return "\n".join(lines) + "\n"

    def _column(self, number: int, macros: list[MemoryMacro], low: int) -> list[str]:
        """Macros of one width one behind the other, and which of them was read last."""
        name = f"column_{number}"
        width = macros[0].width
        lines = self._data(name, width, low)
        lines += [f"  wire [{width - 1}:0] {name}_read_{row};" for row in range(len(macros))]
        ends = list(itertools.accumulate(macro.depth for macro in macros))
        for row, (macro, end) in enumerate(zip(macros, ends, strict=True)):
            within = []
            if row:
                within.append(f"{self._row} >= {ends[row - 1]}")
            if row < len(macros) - 1:
                within.append(f"{self._row} < {end}")
            lines += self._instance(f"macro_{number}_{row}", macro, name, f"{name}_read_{row}", " && ".join(within))
        choice = f"{name}_read_{len(macros) - 1}"
        if len(macros) > 1:
            lines += [f"  reg [{self.address_bits - 1}:0] {name}_at;", *_kept(f"{name}_at", self._row)]
            for row in reversed(range(len(macros) - 1)):
                choice = f"{name}_at < {ends[row]} ? {name}_read_{row} : ({choice})"
        return [*lines, f"  wire [{width - 1}:0] {name} = {choice};"]

    @property
    def _row(self) -> str:
        """Number of the row of an address."""
        return f"address[{self.address_bits - 1}:{self.word_bits}]" if self.word_bits else "address"

    def _data(self, name: str, width: int, low: int) -> list[str]:
        """Bits that a column is given, and which of them are written."""
        bits, words, lanes = self.shape.width, self.tiling.words, self.shape.lanes
        here = [(word, bit) for word in range(words) for bit in range(bits)][low : low + width]
        unused = [f"{width - len(here)}'d0"] * (len(here) < width)
        data, enables = list(unused), list(unused)
        for (word, lane), group in itertools.groupby(reversed(here), lambda at: (at[0], at[1] * lanes // bits)):
            ends = [bit for _, bit in group]
            enable = f"write_enable[{lane}]" if lanes > 1 else "write_enable"
            chosen = f" & (address[{self.word_bits - 1}:0] == {self.word_bits}'d{word})" if words > 1 else ""
            data.append(f"write_data[{ends[0]}:{ends[-1]}]")
            enables.append(f"{{{len(ends)}{{{enable}{chosen}}}}}")
        lines = [f"  wire [{width - 1}:0] {name}_{what} = {{{', '.join(parts)}}};"
                 for what, parts in (("data", data), ("mask", enables))]
        return [part for line in lines for part in textwrap.wrap(line.strip(), 110, **_INDENT)]

    def _instance(self, name: str, macro: MemoryMacro, column: str, read: str, within: str) -> list[str]:
        """A macro, which is accessed where ``within`` holds of the row; empty: always."""
        self.instances.append(name)
        address = (macro.depth - 1).bit_length()
        row_bits = self.address_bits - self.word_bits
        rows = f"address[{self.word_bits + min(address, row_bits) - 1}:{self.word_bits}]"
        rows = f"{{{address - row_bits}'d0, {rows}}}" if address > row_bits else rows
        here = f" & ({within})" if within else ""
        driven = {
            "clock": "clk", "enable": f"accesses{here}", "write": f"writes{here}", "read": f"reads{here}",
            "address": rows, "write_data": f"{column}_data", "mask": f"{column}_mask", "read_data": read,
        }
        pins = {}
        for role, wire in driven.items():
            pin = self.memory.pins.get(role, "")
            if pin:
                pins[pin.removeprefix("!")] = f"~({wire})" if pin.startswith("!") else wire
        ties = dict(self.memory.ties)
        for pin, bits in macro.inputs.items():
            if pin not in pins:
                if pin not in ties and not _TEST.search(pin):
                    raise InputError(f"memory.ties must have the input {pin} of {macro.name}, or memory.pins its role")
                pins[pin] = f"{bits}'d{ties.get(pin, 0)}"
        strange = [pin for pin in pins if pin not in macro.inputs and pin != self.memory.pins.get("read_data")]
        if strange:
            raise InputError(f"memory.pins must name inputs of {macro.name}, not {strange[0]}")
        ports = ",\n".join(f"    .{pin}({wire})" for pin, wire in pins.items())
        return [f"  {macro.name} {name} (\n{ports}\n  );"]


_INDENT: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "      ", "break_long_words": False}


def _kept(register: str, value: str) -> list[str]:
    """A register that takes a value where something is read."""
    return ["  always @(posedge clk) begin", f"    if (reads) {register} <= {value};", "  end"]
