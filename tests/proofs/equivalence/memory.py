"""Memories: Amaranth's own, for a proof, and the words of it as a block that is cut out on both sides."""

from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.lib.memory import Memory

from mho.rtl_gen.verilog.memories import MemoryShape
from tests.proofs.equivalence.naming import NETLIST
from tests.proofs.equivalence.proof import WRITTEN, Pair, reading

__all__ = ["memory_pair"]

_CUT = "memory_words"


def memory_pair(name: str, shape: MemoryShape, text: str) -> Pair:
    """The wrapper of a memory, its Verilog being ``text``, and Amaranth's memory of that shape, self-test included."""
    # Reads become asynchronous ones with a register behind them, and writes of parts of a word one port.
    same = " ".join(
        f"r:{name}={value} %i"
        for name, value in (
            ("SIZE", shape.depth), ("WIDTH", shape.width), ("ABITS", shape.address_width), ("OFFSET", 0),
            ("RD_PORTS", 1), ("WR_PORTS", 1), ("WR_CLK_ENABLE", "1'1"), ("WR_CLK_POLARITY", "1'1"),
            ("RD_CLK_ENABLE", "1'0"),
        )
    )
    cut = (
        "memory_collect\nmemory_share -nosat -nowiden\nopt_clean\nmemory_nordff\ndffunmap\nopt_clean\n"
        f"select -assert-count 2 t:$mem_v2 {same}\nread_verilog -lib words.v\ntechmap -map map.v\n"
        f"cd {NETLIST}\nrename words cut\ncd {WRITTEN}\nrename words cut\ncd ..\n"
    )
    widths = {"address": shape.address_width - 1, "word": shape.width - 1}
    test = "bist_enable" in text
    files = {
        "netlist.il": _netlist(shape, test=test), "written.v": text, "words.v": _WORDS.format(**widths), "map.v": _MAP,
    }
    return Pair(
        name=name, files=files, read=reading(name) + cut, registers=("read_data",) if shape.registered else (),
        instances={"cut": _CUT}, twins=("bist_read_data",) if test and shape.registered else (),
    )


def _netlist(shape: MemoryShape, *, test: bool) -> str:
    """RTLIL of a memory of Amaranth with the ports of a wrapper, and with ``test`` of a self-test that owns it."""
    m = Module()
    clock: Any = ClockDomain("sync", reset_less=True)
    m.domains.sync = clock
    m.submodules.words = words = Memory(shape=shape.width, depth=shape.depth, init=[])
    write = words.write_port(granularity=shape.granularity)
    read = words.read_port(
        domain="sync" if shape.registered else "comb", transparent_for=[write] if shape.transparent else []
    )
    inputs = {
        "write_enable": write.en, "write_address": write.addr, "write_data": write.data, "read_address": read.addr,
        **({"read_enable": read.en} if shape.registered else {}),
    }
    ports = [Signal(len(Value.cast(value)), name=name) for name, value in inputs.items()]
    m.d.comb += [Value.cast(value).eq(port) for value, port in zip(inputs.values(), ports, strict=True)]
    data = Signal(shape.width, name="read_data")
    m.d.comb += data.eq(read.data)
    if test:
        enable, writes = Signal(name="bist_enable"), Signal(name="bist_write")
        address, word = Signal.like(write.addr, name="bist_address"), Signal(shape.width, name="bist_write_data")
        tested = Signal(shape.width, name="bist_read_data")
        m.d.comb += tested.eq(read.data)
        with m.If(enable):
            m.d.comb += [write.en.eq(writes.replicate(len(write.en))), write.addr.eq(address), write.data.eq(word)]
            m.d.comb += [read.addr.eq(address), *([read.en.eq(~writes)] if shape.registered else [])]
        ports += [enable, writes, address, word, tested]
    return rtlil.convert(m, name=NETLIST, ports=[clock.clk, *ports, data], emit_src=False)


_WORDS = f"""\
module {_CUT} (
  input  wire [{{address}}:0] RD_ADDR,
  output wire [{{word}}:0] RD_DATA,
  input  wire WR_CLK,
  input  wire [{{word}}:0] WR_EN,
  input  wire [{{address}}:0] WR_ADDR,
  input  wire [{{word}}:0] WR_DATA
);
endmodule
"""

# What is written where nothing is enabled is no matter.
_MAP = f"""\
module \\$mem_v2 (RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);
  parameter MEMID = "", INIT = 1'bx, SIZE = 4, OFFSET = 0, ABITS = 2, WIDTH = 8, RD_PORTS = 1, WR_PORTS = 1;
  parameter RD_CLK_ENABLE = 0, RD_CLK_POLARITY = 0, RD_TRANSPARENCY_MASK = 0, RD_COLLISION_X_MASK = 0;
  parameter RD_WIDE_CONTINUATION = 0, RD_CE_OVER_SRST = 0, RD_ARST_VALUE = 0, RD_SRST_VALUE = 0, RD_INIT_VALUE = 0;
  parameter WR_CLK_ENABLE = 1, WR_CLK_POLARITY = 1, WR_PRIORITY_MASK = 0, WR_WIDE_CONTINUATION = 0;
  input RD_CLK, RD_EN, RD_ARST, RD_SRST, WR_CLK;
  input [ABITS-1:0] RD_ADDR, WR_ADDR;
  output [WIDTH-1:0] RD_DATA;
  input [WIDTH-1:0] WR_EN, WR_DATA;
  {_CUT} _TECHMAP_REPLACE_ (
    .RD_ADDR(RD_ADDR), .RD_DATA(RD_DATA), .WR_CLK(WR_CLK), .WR_EN(WR_EN),
    .WR_ADDR(WR_ADDR & {{ABITS{{|WR_EN}}}}), .WR_DATA(WR_DATA & WR_EN)
  );
endmodule
"""
