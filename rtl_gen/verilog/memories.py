"""Memories as modules of their own, which an SRAM macro can replace.

Components use :class:`amaranth.lib.memory.Memory` and are simulated with it; for generation :class:`MemoryPlatform`
takes its place by an instance of a wrapper module, and :func:`write_memory` is the wrapper's behavioural body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import ClockSignal, Instance, Shape, Value
from amaranth.lib.memory import Memory

from mho.hw.memory import OnePortMemory
from mho.macro_models.errors import ToolError
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.names import range_text


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
    one_port: bool = False
    """It is never written and read in one cycle (registered only)."""

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
        return f"mem_{self.depth}x{self.width}{lanes}{kind}{'_wt' if self.transparent else ''}{'_1p' * self.one_port}"


class MemoryPlatform:
    """Platform of an elaboration for Verilog.

    ``shapes`` collects the memories that the design uses, ``one_port`` says that they have one port
    where blocks know how (:mod:`mho.hw.memory`).

    Raises ToolError from the elaboration, if a memory has contents at power-on, several ports or several clocks: an
    SRAM macro has none of that.
    """

    def __init__(self, prefix: str, one_port: bool = False) -> None:
        self.prefix, self.one_port = prefix, one_port
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
        one_port = isinstance(memory, OnePortMemory)
        shape = MemoryShape(memory.depth, width, width // len(enable), registered, transparent, one_port)
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


_SYNCHRONOUS = (
    "Reading is synchronous: the word appears after the clock edge at which read_enable is 1, and stays.",
    "A read of the word that is written at the same edge gives the",
)
_TIMING = {
    "asynchronous": (
        "Reading is asynchronous: the word follows its address in the same cycle, as most SRAM macros do not.",
        "A word that is written is read as it was until the clock edge, as it is after it.",
    ),
    "one port": (_SYNCHRONOUS[0], "Nothing is read at an edge at which a word is written: one port does both."),
    "new": (_SYNCHRONOUS[0], f"{_SYNCHRONOUS[1]} new one."),
    "parts": (
        _SYNCHRONOUS[0], f"{_SYNCHRONOUS[1]} old one here; nothing relies on it but for",
        "parts that are not written, which memories with enables of parts leave as they are. So no_rw_check tells",
        "synthesis that block RAM needs no logic around it.",
    ),
    "old": (
        _SYNCHRONOUS[0], f"{_SYNCHRONOUS[1]} old one here; nothing relies on it, which",
        "no_rw_check tells to synthesis: block RAM needs no logic around it then.",
    ),
}
"""When a word appears, and what a read of the word that is written gives."""


def write_memory(shape: MemoryShape, prefix: str, *, test: bool = False) -> str:
    """Verilog of the wrapper of a memory. Replace the body by an SRAM macro's instance to harden the design.

    ``test``: it has a port for a self-test, which takes the place of both others.
    """
    several, registered = shape.lanes > 1, shape.registered
    used, enable = ("any_", "any_write") if test else ("", "write_enable")
    parts = [(f"[{k}]", f"[{(k + 1) * shape.granularity - 1}:{k * shape.granularity}]") for k in range(shape.lanes)]
    parts = parts if several else [("", "")]
    write, new = "", ""
    to, start = ("address", "address") if shape.one_port else (f"{used}write_address", f"{used}read_address")
    for at, bits in parts:
        write += f"    if ({enable}{at}) begin\n      words[{to}]{bits} <= {used}write_data{bits};\n    end\n"
        new += (f"      if ({enable}{at} && {used}write_address == {used}read_address) begin\n"
                f"        read_data{bits} <= {used}write_data{bits};\n      end\n")
    word, strobe = f"words[{start}]", "any_read" if test else "read_enable"
    new = new if shape.transparent else ""
    address = range_text(max(shape.address_width, 1))
    port = ""
    if shape.one_port:
        writes = f"(|{enable})" if several else enable
        port = f"  wire {address}address = {writes} ? {used}write_address : {used}read_address;\n\n"
        strobe = f"{strobe} && !{writes}"
    read = f"    if ({strobe}) begin\n      read_data <= {word};\n{new}    end\n  end\n"
    if not registered:
        read = f"  end\n\n  assign read_data = {word};\n"
    timing = "asynchronous" if not registered else "new" if shape.transparent else "parts" if several else "old"
    timing = "one port" if shape.one_port else timing
    return fill(template("memory.v"), {
        "TIMING": "".join(f"// {line}\n" for line in _TIMING[timing]), "DEPTH": shape.depth, "WIDTH": shape.width,
        "NAME": f"{prefix}{shape.suffix}", "READ_ENABLE": "  input  wire read_enable,\n" * registered,
        "DRIVEN": "reg " if registered else "wire", "LAST": shape.depth - 1, "WRITE": write, "READ": read,
        "CHECK": "  (* no_rw_check *)\n" * (registered and not shape.transparent and not shape.one_port),
        "TEST_PORTS": template("memory_test_ports.v").rstrip("\n") if test else "",
        "TEST_WIRES": (template("memory_test_wires.v") if test else "") + port,
        "ALL": f"{{{shape.lanes}{{bist_write}}}}" if several else "bist_write",
        "READ_WIRE": "  wire any_read = bist_enable ? ~bist_write : read_enable;\n" * registered,
        "ENABLES": range_text(shape.lanes), "ADDRESS": address,
        "WORD": range_text(shape.width),
    })


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
