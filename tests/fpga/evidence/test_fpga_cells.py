"""Models of cells beside what they must do in Python: of an ECP5 alone, and of families where Yosys puts them."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.fpga.evidence.verify import simulated_netlist, yosys_cells
from mho.fpga.families import FAMILIES

CELLS = Path(__file__).parents[3] / "fpga" / "hdl" / "ecp5_cells.v"


def simulate(folder: Path, bench: str, stimulus: Sequence[int], *sources: Path) -> list[list[int]]:
    """Hexadecimal words of each line that a bench prints; it reads the stimulus from the file ``stimulus``."""
    (folder / "bench.v").write_text(bench)
    (folder / "stimulus").write_text("\n".join(f"{word:x}" for word in stimulus))
    command = ["iverilog", "-g2012", "-DNO_INCLUDES", "-s", "bench", "-o", "bench", "bench.v", *map(str, sources)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    output = subprocess.run(["vvp", "-n", "bench"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return [[int(word, 16) for word in line.split()] for line in output.splitlines()]


def pins(name: str, bits: int, wire: str) -> str:
    return ", ".join(f".{name}{bit}({wire}[{bit}])" for bit in range(bits))


@dataclass(frozen=True)
class Port:
    """One access: what is at the pins of a port at an edge."""

    data: int
    address: int
    enable: int
    write: int
    reset: int


class BlockRam:
    """18432 bits; ports see words of ``width`` bits, of 36 bits across both ports."""

    def __init__(self, bits: np.ndarray, widths: tuple[int, int], modes: tuple[str, str], reset: str) -> None:
        self.bits, self.widths, self.modes, self.reset = bits.copy(), widths, modes, reset
        self.outputs = [0, 0]

    def place(self, port: int, address: int) -> int:
        width = self.widths[port]
        if width >= 9:
            return address // (8 * width // 9) * width
        return (address >> 3) * 9 + (address & 7) // width * width

    def written(self, port: int, pin: Port) -> set[int]:
        """Bits that an access writes."""
        if not (pin.enable and pin.write) or (pin.reset and self.reset == "SYNC"):
            return set()
        first, width = self.place(port, pin.address), self.widths[port]
        return {first + k for k in range(width) if width < 18 or pin.address >> k // 9 & 1}

    def edge(self, accesses: tuple[Port, Port]) -> list[int]:
        """Outputs of both ports after an edge."""
        old, written = self.bits.copy(), [self.written(port, accesses[port]) for port in (0, 1)]
        for port, pin in enumerate(accesses):
            data = pin.data | accesses[1].data << 18 if self.widths[port] == 36 else pin.data
            for bit in written[port]:
                self.bits[bit] = data >> bit - self.place(port, pin.address) & 1
        for port, pin in enumerate(accesses):
            if pin.reset:
                self.outputs[port] = 0
            elif pin.enable and not (pin.write and self.modes[port] == "NORMAL"):
                through = written[port] if self.modes[port] == "WRITETHROUGH" else set[int]()
                first, value = self.place(port, pin.address), 0
                for bit in range(first, first + self.widths[port]):
                    read = self.bits[bit] if bit in through else bit & 1 if bit in written[1 - port] else old[bit]
                    value |= int(read) << bit - first
                self.outputs[port] = value
        if self.widths[1] == 36:
            return [self.outputs[1] & 2**18 - 1, self.outputs[1] >> 18]
        return [self.outputs[0] & 2**18 - 1, self.outputs[1]]


RAMS = (
    ((36, 36), ("NORMAL", "NORMAL"), "SYNC"),
    ((36, 9), ("NORMAL", "NORMAL"), "ASYNC"),
    ((18, 18), ("READBEFOREWRITE", "WRITETHROUGH"), "SYNC"),
    ((18, 18), ("NORMAL", "READBEFOREWRITE"), "ASYNC"),
    ((9, 2), ("WRITETHROUGH", "NORMAL"), "SYNC"),
    ((1, 4), ("READBEFOREWRITE", "WRITETHROUGH"), "ASYNC"),
)


def ram_bench(bits: np.ndarray, widths: tuple[int, int], modes: tuple[str, str], reset: str, count: int) -> str:
    words = bits.reshape(64, 16, 18)
    step = [sum(int(bit) << 20 * k + j for k, word in enumerate(row) for j, bit in enumerate(word)) for row in words]
    values = ", ".join(f".INITVAL_{k:02X}(320'h{value:x})" for k, value in enumerate(step))
    # The clock of port B is inverted twice.
    ports = ", ".join(
        f"{pins('DI' + x, 18, 'di' + x)}, {pins('AD' + x, 14, 'ad' + x)}, {pins('DO' + x, 18, 'do' + x)}, "
        f".CE{x}(ce{x}), .WE{x}(we{x}), .RST{x}(rst{x}), .CLK{x}({clock}), "
        f".OCE{x}(1'b1), .CS{x}0(1'b0), .CS{x}1(1'b0), .CS{x}2(1'b0)"
        for x, clock in (("A", "clk"), ("B", "~clk"))
    )
    return f"""module bench;
  reg [69:0] stimulus [0:{count - 1}];
  reg clk = 0, ceA = 0, weA = 0, rstA = 0, ceB = 0, weB = 0, rstB = 0;
  reg [17:0] diA = 0, diB = 0;
  reg [13:0] adA = 0, adB = 0;
  wire [17:0] doA, doB;
  mho_DP16KD #(.DATA_WIDTH_A({widths[0]}), .DATA_WIDTH_B({widths[1]}), .WRITEMODE_A("{modes[0]}"),
    .WRITEMODE_B("{modes[1]}"), .RESETMODE("{reset}"), .CLKBMUX("INV"), .GSR("DISABLED"), {values}) ram ({ports});
  integer k;
  initial begin
    $readmemh("stimulus", stimulus);
    for (k = 0; k < {count}; k = k + 1) begin
      {{diB, adB, ceB, weB, rstB, diA, adA, ceA, weA, rstA}} = stimulus[k];
      #1 clk = 1;
      #1 $display("%h %h", doA, doB);
      clk = 0;
      #1;
    end
  end
endmodule
"""


def ram_accesses(ram: BlockRam, rng: np.random.Generator, count: int) -> list[tuple[Port, Port]]:
    """Accesses to few rows, of which no two write the same bits."""
    accesses = []
    for _ in range(count):
        ports = []
        for _ in range(2):
            address = int(rng.integers(3)) * 341 << 5 | int(rng.integers(32))
            enable, write, reset = (int(rng.random() < share) for share in (0.8, 0.5, 0.05))
            ports.append(Port(int(rng.integers(2**18)), address & 2**14 - 1, enable, write, reset))
        if 36 in ram.widths or ram.written(0, ports[0]) & ram.written(1, ports[1]):
            ports[1] = Port(ports[1].data, ports[1].address, ports[1].enable, 0, ports[1].reset)
        if ram.widths[0] == 36:
            ports[0] = Port(ports[0].data, ports[0].address, ports[0].enable, 1, 0)
        accesses.append((ports[0], ports[1]))
    return accesses


@pytest.mark.cosim("iverilog", "vvp")
@pytest.mark.parametrize(("widths", "modes", "reset"), RAMS)
@pytest.mark.slow
def test_block_ram(tmp_path: Path, widths: tuple[int, int], modes: tuple[str, str], reset: str) -> None:
    rng = np.random.default_rng(widths)
    bits = rng.integers(0, 2, 18432, dtype=np.uint8)
    ram = BlockRam(bits, widths, modes, reset)
    accesses = ram_accesses(ram, rng, 1500)
    stimulus = [0] * len(accesses)
    for shift, port in ((0, 0), (35, 1)):
        for k, pin in enumerate(accesses):
            at = pin[port]
            word = at.data << 17 | at.address << 3 | at.enable << 2 | at.write << 1 | at.reset
            stimulus[k] |= word << shift
    outputs = simulate(tmp_path, ram_bench(bits, widths, modes, reset, len(accesses)), stimulus, CELLS)
    expected = [ram.edge(pair) for pair in accesses]
    if widths[0] == 36 and widths[1] != 36:
        # Port A is written alone.
        outputs, expected = ([row[1:] for row in rows] for rows in (outputs, expected))
    assert outputs == expected
    assert len({tuple(row) for row in expected}) > min(50, 2 ** widths[1] - 1)


PLAIN = """module bench;
  reg [39:0] stimulus [0:{count}];
  reg [3:0] in = 0;
  reg [37:0] ab = 0;
  wire [35:0] p;
  wire [17:0] a = ab[17:0], b = ab[35:18];
  wire lut, pin, clock, locked, from;
  mho_LUT4 #(.INIT(16'h{init:04x})) lut_i (.A(in[0]), .B(in[1]), .C(in[2]), .D(in[3]), .Z(lut));
  mho_MULT18X18D mult_i ({mult}, .SIGNEDA(ab[36]), .SIGNEDB(ab[37]));
  mho_TRELLIS_IO #(.DIR("OUTPUT")) out_i (.B(pin), .I(in[0]), .T(1'b0));
  mho_TRELLIS_IO #(.DIR("INPUT")) in_i (.B(pin), .O(from));
  mho_EHXPLLL loop_i (.CLKI(in[1]), .CLKOP(clock), .LOCK(locked));
  integer k;
  initial begin
    $readmemh("stimulus", stimulus);
    for (k = 0; k < {count}; k = k + 1) begin
      ab = stimulus[k];
      in = k;
      #1 $display("%h %h %h %h %h", p, lut, from, clock, locked);
    end
  end
endmodule
"""


@pytest.mark.cosim("iverilog", "vvp")
def test_tables_products_pins_and_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    corners = [2**17 << 18 | 2**17 | signs << 36 for signs in range(4)]
    words = [int(word) for word in rng.integers(0, 2**38, 200)] + corners
    mult = ", ".join([pins("A", 18, "a"), pins("B", 18, "b"), pins("P", 36, "p")])
    outputs = simulate(tmp_path, PLAIN.format(count=len(words), init=0xCA35, mult=mult), [*words, 0], CELLS)

    def signed(word: int, is_signed: int) -> int:
        return word - (word >> 17 << 18) if is_signed else word

    for k, (word, row) in enumerate(zip(words, outputs, strict=True)):
        a, b = signed(word & 2**18 - 1, word >> 36 & 1), signed(word >> 18 & 2**18 - 1, word >> 37)
        assert row == [a * b & 2**36 - 1, 0xCA35 >> k % 16 & 1, k & 1, k >> 1 & 1, 1], (a, b)


DESIGN = """module top (input clk, input [11:0] w, r, input [35:0] d, input [3:0] e, output reg [35:0] wide,
            output reg [3:0] narrow, output signed [23:0] p);
  reg [35:0] a [0:511];
  reg [3:0] b [0:4095];
  integer k;
  initial begin
    $readmemh("a", a);
    $readmemh("b", b);
  end
  always @(posedge clk) begin
    for (k = 0; k < 4; k = k + 1) if (e[k]) a[w[8:0]][9 * k +: 9] <= d[9 * k +: 9];
    wide <= a[r[8:0]];
    if (e[0]) b[w] <= d[3:0];
    narrow <= b[r];
  end
  assign p = $signed(d[11:0]) * $signed(d[23:12]);
endmodule
"""

AROUND = """module bench;
  reg [63:0] stimulus [0:{count}];
  reg clk = 0;
  reg [63:0] in = 0;
  wire [35:0] wide;
  wire [3:0] narrow;
  wire [23:0] p;
  wire clock = clk;
  top top (.clk(clock), .e(in[3:0]), .w(in[15:4]), .r(in[27:16]), .d(in[63:28]), .wide(wide), .narrow(narrow), .p(p));
  integer k;
  initial begin
    $readmemh("stimulus", stimulus);
    for (k = 0; k < {count}; k = k + 1) begin
      in = stimulus[k];
      #1 clk = 1;
      #1 $display("%h %h %h", wide, narrow, p);
      clk = 0;
      #1;
    end
  end
endmodule
"""


def contents() -> tuple[list[int], list[int]]:
    """Of the two memories at the start, read from files: Yosys unrolls a loop that sets them in quadratic time."""
    a = [sum((77 ^ k) << 9 * j for j in range(4)) for k in range(512)]
    return a, [(k ^ k >> 5) & 15 for k in range(4096)]


def of_design(stimulus: Sequence[int]) -> list[list[int]]:
    a, b = contents()
    rows = []
    for word in stimulus:
        e, w, r, d = word & 15, word >> 4 & 4095, word >> 16 & 4095, word >> 28
        x, y = (((d >> at & 4095) ^ 2048) - 2048 for at in (0, 12))
        rows.append([a[r & 511], b[r], x * y & 2**24 - 1])
        mask = sum(511 << 9 * j for j in range(4) if e >> j & 1)
        a[w & 511] = a[w & 511] & ~mask | d & mask
        if e & 1:
            b[w] = d & 15
    return rows


@pytest.mark.cosim("yosys", "iverilog", "vvp")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "cells"),
    [
        ("ecp5", {"DP16KD": 2, "MULT18X18D": 1}),
        pytest.param("gowin", {"DPX9B": 4, "DPB": 1}, marks=pytest.mark.long),
    ],
)
def test_what_yosys_makes_of_memories_and_products(tmp_path: Path, family: str, cells: dict[str, int]) -> None:
    (tmp_path / "design.v").write_text(DESIGN)
    for name, rows in zip("ab", contents(), strict=True):
        (tmp_path / name).write_text("".join(f"{row:x}\n" for row in rows))
    script = f"read_verilog design.v; synth_{family} -top top; write_verilog -noattr netlist.v"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True, capture_output=True)
    netlist = simulated_netlist((tmp_path / "netlist.v").read_text(), family)
    assert {name: netlist.count(f"  mho_{name} ") for name in cells} == cells
    (tmp_path / "netlist.v").write_text(netlist)
    rng: Any = np.random.default_rng(2)
    # Reads follow writes to the same words, some in the same cycle.
    words = rng.integers(0, 8, (2, 3000)) * 585
    stimulus = [
        int(e) | int(w) << 4 | int(r) << 16 | int(d) << 28
        for e, w, r, d in zip(rng.integers(0, 16, 3000), *words, rng.integers(0, 2**36, 3000), strict=True)
    ]
    bench = AROUND.format(count=len(stimulus))
    models = CELLS.with_name(FAMILIES[family].models)
    outputs = simulate(tmp_path, bench, [*stimulus, 0], tmp_path / "netlist.v", models, yosys_cells(family))
    assert outputs == of_design(stimulus)


ONE_PORT = """module top (input clk, input w, input [11:0] at, input [3:0] d, output reg [3:0] q);
  reg [3:0] words [0:4095];
  initial $readmemh("words", words);
  always @(posedge clk) if (w) words[at] <= d; else q <= words[at];
endmodule
"""

ONE_PORT_BENCH = """module bench;
  reg [16:0] stimulus [0:{count}];
  reg clk = 0;
  reg [16:0] in = 0;
  wire clock = clk, write = in[16];
  wire [3:0] q;
  top top (.clk(clock), .w(write), .at(in[15:4]), .d(in[3:0]), .q(q));
  integer k;
  initial begin
    $readmemh("stimulus", stimulus);
    for (k = 0; k < {count}; k = k + 1) begin
      in = stimulus[k];
      #1 clk = 1;
      #1 $display("%h", q);
      clk = 0;
      #1;
    end
  end
endmodule
"""


@pytest.mark.cosim("yosys", "iverilog", "vvp")
@pytest.mark.slow
def test_a_memory_with_one_port_of_a_gowin(tmp_path: Path) -> None:
    words = contents()[1]
    (tmp_path / "words").write_text("".join(f"{word:x}\n" for word in words))
    (tmp_path / "design.v").write_text(ONE_PORT)
    script = "read_verilog design.v; synth_gowin -top top -run begin:map_gates; write_verilog -noattr netlist.v"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True, capture_output=True)
    netlist = simulated_netlist((tmp_path / "netlist.v").read_text(), "gowin")
    assert netlist.count("  mho_SP ") == 1
    (tmp_path / "netlist.v").write_text(netlist)
    rng: Any = np.random.default_rng(3)
    stimulus = [
        int(write) << 16 | int(at) << 4 | int(data)
        for write, at, data in zip(*(rng.integers(0, end, 2000) for end in (2, 64, 16)), strict=True)
    ]
    bench = ONE_PORT_BENCH.format(count=len(stimulus))
    outputs = simulate(tmp_path, bench, [*stimulus, 0], tmp_path / "netlist.v", CELLS.with_name("gowin_cells.v"))
    shown, expected = 0, list[list[int]]()
    for word in stimulus:
        at = word >> 4 & 4095
        if word >> 16:
            words[at] = word & 15
        else:
            shown = words[at]
        expected.append([shown])
    assert outputs == expected
