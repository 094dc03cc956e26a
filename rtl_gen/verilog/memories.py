"""Memories as modules of their own, which an SRAM macro can replace.

Components use :class:`amaranth.lib.memory.Memory` and are simulated with it; for generation :class:`MemoryPlatform`
takes its place by an instance of a wrapper module, and :func:`write_memory` is the wrapper's behavioural body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import ClockSignal, Instance, Shape, Value
from amaranth.lib.memory import Memory

from mho.macro_models.errors import ToolError


@dataclass(frozen=True, order=True)
class MemoryShape:
    """One write port, one read port, one clock."""

    depth: int
    width: int
    """Words, and bits a word."""
    granularity: int
    """Bits that one bit of the write enable covers."""
    registered: bool
    """The word that is read appears at the clock edge (else at once)."""
    transparent: bool
    """A word that is read while it is written is the new one (registered only)."""

    @property
    def address_width(self) -> int:
        """Bits of an address."""
        return (self.depth - 1).bit_length()

    @property
    def lanes(self) -> int:
        """Bits of the write enable."""
        return self.width // self.granularity

    @property
    def suffix(self) -> str:
        """Name of the wrapper, without the prefix: ``mem_64x32_we4``."""
        lanes = f"_we{self.lanes}" if self.lanes > 1 else ""
        kind = "" if self.registered else "_async"
        return f"mem_{self.depth}x{self.width}{lanes}{kind}{'_wt' if self.transparent else ''}"


class MemoryPlatform:
    """Platform of an elaboration for Verilog.

    ``shapes`` collects the memories that the design uses.

    Raises
    ------
    ToolError
        From the elaboration, if a memory has contents at power-on, several ports or several clocks: an SRAM macro has
        none of that.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.shapes: set[MemoryShape] = set()

    def get_memory(self, memory: Memory) -> Instance:
        """What stands for ``memory`` (see the platform overrides of :class:`amaranth.lib.memory.Memory`)."""
        width = Shape.cast(memory.shape).width
        ports = len(memory.read_ports), len(memory.write_ports)
        if ports != (1, 1):
            raise ToolError(f"A memory must have one read port and one write port, not {ports[0]} and {ports[1]}")
        (read,), (write,) = memory.read_ports, memory.write_ports
        if any(memory.init[k] != memory.init[0] for k in range(memory.depth)):
            raise ToolError("A memory must be empty at power-on, because an SRAM macro has no contents then")
        if read.domain not in ("comb", write.domain):
            raise ToolError(f"A memory must have one clock, not {write.domain} and {read.domain}")
        registered = read.domain != "comb"
        enable = Value.cast(write.en)
        transparent = registered and bool(read.transparent_for)
        shape = MemoryShape(memory.depth, width, width // len(enable), registered, transparent)
        self.shapes.add(shape)
        ports = {
            "i_clk": ClockSignal(write.domain),
            "i_write_enable": enable,
            "i_write_address": write.addr,
            "i_write_data": Value.cast(write.data),
            "i_read_address": read.addr,
            "o_read_data": Value.cast(read.data),
        }
        if registered:
            ports["i_read_enable"] = read.en
        return Instance(f"{self.prefix}{shape.suffix}", **ports)


def write_memory(shape: MemoryShape, prefix: str, *, test: bool = False) -> str:
    """Verilog of the wrapper of a memory. Replace the body by an SRAM macro's instance to harden the design.

    ``test``: it has a port for a self-test, which takes the place of both others.
    """
    top, bits = max(shape.address_width - 1, 0), shape.width - 1
    ports = [
        "input  wire clk",
        f"input  wire {_range(shape.lanes - 1)}write_enable",
        f"input  wire {_range(top)}write_address",
        f"input  wire {_range(bits)}write_data",
        *(["input  wire read_enable"] if shape.registered else []),
        f"input  wire {_range(top)}read_address",
        f"output {'reg ' if shape.registered else 'wire'} {_range(bits)}read_data",
        *(_test_ports(shape) if test else []),
    ]
    used = _TESTED if test else _PLAIN
    lanes = []
    for lane in range(shape.lanes):
        low = lane * shape.granularity
        part = f"[{low + shape.granularity - 1}:{low}]" if shape.lanes > 1 else ""
        enable = f"{used.write}[{lane}]" if shape.lanes > 1 else used.write
        lanes += [f"    if ({enable}) begin", f"      words[{used.to}]{part} <= {used.data}{part};", "    end"]
    lines = [
        f"// Memory of {shape.depth} words of {shape.width} bits: one write port, one read port.",
        *(f"// {line}" for line in _timing(shape)),
        "// An SRAM macro can take the place of this body. No content is relied on at power-on.",
        f"module {prefix}{shape.suffix} (",
        _joined(ports),
        ");",
        "",
        *(["  (* no_rw_check *)"] if _unchecked(shape) else []),
        f"  reg {_range(bits)}words [0:{shape.depth - 1}];",
        "",
        *(_test_wires(shape) if test else []),
        "  always @(posedge clk) begin",
        *lanes,
        *_read(shape, used),
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _joined(ports: list[str]) -> str:
    """Ports, and remarks above them."""
    last = len(ports) - 1
    return "\n".join(f"  {p}{',' if k < last and not p.startswith('//') else ''}" for k, p in enumerate(ports))


def _timing(shape: MemoryShape) -> list[str]:
    """When a word appears, and what a read of the word that is written gives."""
    if not shape.registered:
        return [
            "Reading is asynchronous: the word follows its address in the same cycle, as most SRAM macros do not.",
            "A word that is written is read as it was until the clock edge, as it is after it.",
        ]
    if shape.transparent:
        return [
            "Reading is synchronous: the word appears after the clock edge at which read_enable is 1, and stays.",
            "A read of the word that is written at the same edge gives the new one.",
        ]
    if shape.lanes > 1:
        return [
            "Reading is synchronous: the word appears after the clock edge at which read_enable is 1, and stays.",
            "A read of the word that is written at the same edge gives the old one here; nothing relies on it but for",
            "parts that are not written, which memories with enables of parts leave as they are. So no_rw_check tells",
            "synthesis that block RAM needs no logic around it.",
        ]
    return [
        "Reading is synchronous: the word appears after the clock edge at which read_enable is 1, and stays.",
        "A read of the word that is written at the same edge gives the old one here; nothing relies on it, which",
        "no_rw_check tells to synthesis: block RAM needs no logic around it then.",
    ]


def _unchecked(shape: MemoryShape) -> bool:
    """Whether nothing that is written is relied on where a word is read and written at once."""
    return shape.registered and not shape.transparent


def _read(shape: MemoryShape, used: "_Ports") -> list[str]:
    if not shape.registered:
        return ["  end", "", f"  assign read_data = words[{used.at}];", ""]
    lines = [f"    if ({used.read}) begin", f"      read_data <= words[{used.at}];"]
    if shape.transparent:
        for lane in range(shape.lanes):
            low = lane * shape.granularity
            part = f"[{low + shape.granularity - 1}:{low}]" if shape.lanes > 1 else ""
            enable = f"{used.write}[{lane}]" if shape.lanes > 1 else used.write
            lines += [
                f"      if ({enable} && {used.to} == {used.at}) begin",
                f"        read_data{part} <= {used.data}{part};",
                "      end",
            ]
    return [*lines, "    end", "  end", ""]


@dataclass(frozen=True)
class _Ports:
    """Names of what the body of a memory uses: enables, addresses and data of writing and of reading."""

    write: str
    to: str
    data: str
    read: str
    at: str


_PLAIN = _Ports("write_enable", "write_address", "write_data", "read_enable", "read_address")
_TESTED = _Ports("any_write", "any_write_address", "any_write_data", "any_read", "any_read_address")


def _test_ports(shape: MemoryShape) -> list[str]:
    top = max(shape.address_width - 1, 0)
    return [
        "// Self-test: with bist_enable it owns the memory. A cycle writes all of a word or reads one, as above.",
        "input  wire bist_enable", "input  wire bist_write", f"input  wire {_range(top)}bist_address",
        f"input  wire {_range(shape.width - 1)}bist_write_data", f"output wire {_range(shape.width - 1)}bist_read_data",
    ]


def _test_wires(shape: MemoryShape) -> list[str]:
    """What is in the place of both ports, and of the test port where that is enabled."""
    top, lanes = max(shape.address_width - 1, 0), shape.lanes
    written = f"{{{lanes}{{bist_write}}}}" if lanes > 1 else "bist_write"
    wires = [
        (lanes - 1, "write", written, "write_enable"), (top, "write_address", "bist_address", "write_address"),
        (shape.width - 1, "write_data", "bist_write_data", "write_data"),
        *([(0, "read", "~bist_write", "read_enable")] if shape.registered else []),
        (top, "read_address", "bist_address", "read_address"),
    ]
    return [
        *(f"  wire {_range(high)}any_{name} = bist_enable ? {test} : {plain};" for high, name, test, plain in wires),
        "", "  assign bist_read_data = read_data;", "",
    ]


def tied_off(texts: Mapping[str, str], shapes: Mapping[str, MemoryShape]) -> dict[str, str]:
    """Verilog in which the test ports of memories are tied off at their instances."""
    changed = dict(texts)
    for name, shape in shapes.items():
        instance = re.compile(rf"^  {re.escape(name)} \w+ \(\n", re.MULTILINE)
        ports = [
            "// Test port of the memory, for a self-test in its place.",
            ".bist_enable(1'b0),", ".bist_write(1'b0),", f".bist_address({max(shape.address_width, 1)}'d0),",
            f".bist_write_data({shape.width}'d0),", ".bist_read_data(),",
        ]
        more = "".join(f"    {port}\n" for port in ports)
        changed = {module: instance.sub(lambda m, more=more: m[0] + more, text) for module, text in changed.items()}
    return changed


def _range(high: int) -> str:
    return f"[{high}:0] " if high else ""
