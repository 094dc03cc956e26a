"""Two descriptions of one block compared by Yosys: by induction of one cycle, else for some cycles after a reset.

The step of the induction: in any state of the registers, the same on both sides, and for any inputs, the next states,
the outputs, what the blocks within get, and the clocks of the registers are the same. Blocks within are cut out, their
outputs are any values, so that a design is proven block by block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from tests.proofs.equivalence.naming import NETLIST
from tests.proofs.solver import Engine, Outcome, Verdict, run, tool

__all__ = ["DEPTH", "WRITTEN", "Pair", "Proof", "prove", "reading"]

WRITTEN = "written"
"""Name of the module that was written as Verilog, in scripts."""

DEPTH = 10
"""Cycles after a reset that are looked at where the induction has no result."""

_CELLS = "t:$*dff* t:$*latch* t:$sr* t:$mem*"


def reading(name: str, *headers: str) -> str:
    """Commands that read ``netlist.il`` and the module of a name of ``written.v``, with headers of blocks within."""
    lines = ["read_rtlil netlist.il", "read_verilog written.v", f"rename {name} {WRITTEN}"]
    return "\n".join([*lines, *(f"read_verilog -lib {file}" for file in headers), "proc -norom", ""])


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A block twice; two are the same if their texts are.

    Attributes
    ----------
    name
        Its module.
    files, read
        Files, and the commands that read them as the modules ``netlist`` and ``written``, without processes.
    registers
        Nets with the states of registers, which have these names on both sides.
    twins
        Outputs that are registers of another name as a whole.
    instances
        Modules of the blocks within by the names of the instances.
    start
        An input and the value at which it resets the block.
    matched
        Whether registers have the same values on both sides, so that the induction is about their states.
    clocked
        Whether a step is a cycle; else it is a part of one, registers hold what they saw of the clock, and a few steps
        are looked at.
    """

    name: str
    files: Mapping[str, str] = field(repr=False)
    read: str
    registers: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    instances: Mapping[str, str] = field(default_factory=dict)
    start: tuple[str, int] | None = None
    matched: bool = True
    clocked: bool = True

    def __hash__(self) -> int:
        return hash((self.name, *self.files.values()))


@dataclass(frozen=True)
class Proof:
    """What came out for a block, and how."""

    name: str
    engine: Engine
    depth: int
    outcome: Outcome

    @property
    def method(self) -> str:
        """How it was checked, in words."""
        return f"{self.engine.value}, {self.depth} cycle{'s' * (self.depth > 1)}"


def prove(pair: Pair, *, limit: float = 1200.0) -> Proof:
    """Compare the two; ``limit`` are seconds for each run of Yosys.

    Raises
    ------
    ToolError
        If Yosys is missing or breaks.
    """
    with Workspace("equivalence") as folder:
        for name, text in {**pair.files, "multiply.v": _MULTIPLY, "reset.v": _RESET}.items():
            (folder / name).write_text(text, encoding="utf-8")
        step = Outcome(Verdict.UNKNOWN, 0.0)
        if pair.clocked:
            step = _run(pair.name, _step(pair), folder, min(limit, _TOGETHER_S), Verdict.UNKNOWN)
        if step.claim == _LATE and pair.matched:
            # What is hard for all together is mostly easy for each by itself.
            text = (folder / "miter.il").read_text(encoding="utf-8")
            outputs = re.findall(r"^ *wire .*output \d+ \\(cmp_\S+)$", text, re.MULTILINE)
            apart = ["read_rtlil miter.il", "cd miter"]
            apart += [f"sat -verify -prove {name} 1 {_SAT} {name} %ci*" for name in outputs]
            singly = _run(pair.name, apart, folder, limit, Verdict.UNKNOWN)
            step = replace(singly, seconds=step.seconds + singly.seconds)
        if step.verdict is not Verdict.UNKNOWN or step.claim == _LATE:
            return Proof(pair.name, Engine.INDUCTION, 1, step)
        after = _run(pair.name, _bounded(pair), folder, limit, Verdict.FAILS)
    outcome = Outcome(after.verdict, step.seconds + after.seconds, after.claim or step.claim)
    return Proof(pair.name, Engine.BOUNDED, _depth(pair), outcome)


_LATE = "out of time"
_TOGETHER_S = 60
"""Seconds for all outputs together."""


def _step(pair: Pair) -> Iterator[str]:
    """The script of an induction's step: registers and blocks within become ports."""
    if not pair.matched:
        yield from _cut(pair, (), f"t:$*latch* t:$sr* t:$mem* {_inner(pair)}")
        yield f"sat -verify -tempinduct -seq 1 -prove trigger 0 {_begin(pair)} {_SAT} miter"
        return
    yield from _cut(pair, pair.registers, f"{_CELLS} {_inner(pair)}")
    yield f"write_rtlil miter.il\nsat -verify -prove trigger 0 {_SAT} miter"


def _bounded(pair: Pair) -> Iterator[str]:
    """The script of the cycles after a reset, from registers of any values; all are of the one clock."""
    yield from _cut(pair, (), f"t:$*latch* t:$sr* t:$mem* {_inner(pair)}")
    if pair.clocked:
        yield "cd miter\nselect -assert-none t:$*dff* w:in_clk %co1:+[CLK] %d"
        yield "select -assert-none t:$*dff* r:CLK_POLARITY=1'0 %i\ncd .."
    skip = "" if pair.start is None else "-prove-skip 1"
    yield f"sat -verify -prove trigger 0 -seq {_depth(pair)} {skip} {_begin(pair)} {_SAT} miter"


def _depth(pair: Pair) -> int:
    return DEPTH if pair.clocked else 2 * DEPTH


def _begin(pair: Pair) -> str:
    """Options for runs that begin with a reset."""
    first = "" if pair.start is None else f"-set-at 1 in_{pair.start[0]} {pair.start[1]}"
    return f"-set-init-undef {first}"


_SAT = "-enable_undef -set-def-inputs -show-ports"


# Products of operands as wide as the result are the same additions on both sides, however they were written.
_MULTIPLY = """\
module \\$mul (A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  localparam SIGNED = A_SIGNED && B_SIGNED;
  wire [A_WIDTH+Y_WIDTH-1:0] a = {{Y_WIDTH{SIGNED && A[A_WIDTH-1]}}, A};
  wire [B_WIDTH+Y_WIDTH-1:0] b = {{Y_WIDTH{SIGNED && B[B_WIDTH-1]}}, B};
  wire [Y_WIDTH*(Y_WIDTH+1)-1:0] sums;
  assign sums[Y_WIDTH-1:0] = 0;
  genvar k;
  generate for (k = 0; k < Y_WIDTH; k = k + 1) begin : row
    assign sums[Y_WIDTH*(k+1) +: Y_WIDTH] = sums[Y_WIDTH*k +: Y_WIDTH] + ({Y_WIDTH{b[k]}} & (a[Y_WIDTH-1:0] << k));
  end endgenerate
  assign Y = sums[Y_WIDTH*Y_WIDTH +: Y_WIDTH];
endmodule
"""


_RESET = """\
(* techmap_celltype = "$adff" *)
module _reset (CLK, ARST, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  parameter ARST_POLARITY = 1;
  parameter ARST_VALUE = 0;
  input CLK, ARST;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  \\$dff #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY)) _TECHMAP_REPLACE_ (
    .CLK(CLK), .D(ARST == ARST_POLARITY ? ARST_VALUE : D), .Q(Q));
endmodule
"""


def _inner(pair: Pair) -> str:
    return " ".join(f"t:{kind}" for kind in sorted(set(pair.instances.values())))


def _cut(pair: Pair, registers: tuple[str, ...], gone: str) -> Iterator[str]:
    """Both modules with registers and blocks within as ports, of which cells ``gone`` are left; then the miter."""
    yield pair.read
    # A block whose outputs nobody takes is compared as well.
    yield from (f"setattr -set keep 1 c:{name}" for name in pair.instances)
    yield "opt_clean\ntechmap -map multiply.v"
    for name, kind in pair.instances.items():
        yield f"select -assert-count 2 c:{name} t:{kind} %i"
    for module in (NETLIST, WRITTEN):
        yield f"rename -hide {module}/w:* " + " ".join(f"{module}/w:{net} %d" for net in registers)
    yield "opt_clean"
    # An output that is a part of a register is none; one that is all of it is, on both sides.
    for module in (NETLIST, WRITTEN):
        yield f"insbuf {module}/o:* " + " ".join(f"{module}/w:{net} %d" for net in (*registers, *pair.twins))
    for module in (NETLIST, WRITTEN) if registers or pair.instances else ():
        listed = [*(f"w:{net}" for net in registers), *(f"c:{name}" for name in pair.instances)]
        cells = f"{module}/t:$*dff*" if registers else ""
        dff = "-evert-dff" if registers else ""
        yield f"expose -evert {dff} -dff -sep : {' '.join(f'{module}/{net}' for net in listed)} {cells}"
    yield "opt_clean"
    yield f"select -assert-none {gone}"
    yield f"miter -equiv -ignore_gold_x -make_outputs -make_outcmp -flatten {NETLIST} {WRITTEN} miter"
    # What is the same on both sides becomes one: products are out of reach of a solver otherwise.
    yield "cd miter\nwreduce -keepdc\nopt_merge\nopt_clean\ncd .."


def _run(name: str, script: Iterable[str], folder: Path, limit: float, differs: Verdict) -> Outcome:
    """Run a script; ``differs`` is what it means that a difference was found."""
    (folder / "prove.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    # What goes to a pipe or a file is cut off at an error; a log by lines is not.
    code, text, seconds = run([tool("yosys"), "-q", "-L", "prove.log", "prove.ys"], folder, limit, tool("yosys"))
    if code is not None and (log := folder / "prove.log").exists():
        text = log.read_text(encoding="utf-8") + text
    error = re.search(r"ERROR: ([^\n]*)", text)
    if code is None:
        return Outcome(Verdict.UNKNOWN, seconds, _LATE)
    if code == 0:
        return Outcome(Verdict.HOLDS, seconds)
    if error is None:
        raise ToolError(f"yosys broke off at {name}: {(text.strip().splitlines() or ['no output'])[-1]}")
    if "proof did fail" in error[1]:
        return Outcome(differs, seconds, _differences(text))
    # A register, a port or a block within is on one side only, or what was written is no Verilog.
    return Outcome(Verdict.FAILS, seconds, error[1])


_ROW = re.compile(r"^ *(\d*) *\\(gold|gate)_(\S+) .* ([01x]+) *$", re.MULTILINE)
_SHOWN = 3


def _differences(text: str) -> str:
    """Some nets that differ in the solver's example; next states are called after their registers."""
    values = {(time, net, side): bits for time, side, net, bits in _ROW.findall(text)}
    nets = (net.removesuffix(":d") for (time, net, side), bits in values.items()
            if side == "gate" and values.get((time, net, "gold"), bits) != bits)
    return ", ".join(list(dict.fromkeys(nets))[:_SHOWN])
