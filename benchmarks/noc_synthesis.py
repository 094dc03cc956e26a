"""Routers in FPGAs: cells after Yosys, cells and clock after nextpnr."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from tools import Figures, fmax_MHz, run_tool

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.node import Node
from mho.hw.noc.reduction.router import ReductionRouter
from mho.hw.noc.router.router import PlaceLayout, Router
from mho.rtl_gen.verilog.netlist import emit
from mho.rtl_gen.verilog.ports import Port, module_ports

CELLS = {
    "lut4": "LUT4", "dpr16x4": "TRELLIS_DPR16X4", "ff": "TRELLIS_FF", "ccu2c": "CCU2C", "pfumx": "PFUMX",
    "l6mux": "L6MUX21",
}

SEEDS = (1, 2, 3)
WANTED_MHZ = 110

_GROUP = 4
"""Outputs to a pin: the package has not enough."""


class _Both(wiring.Component):
    """A router with its reduction router, which share nothing."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self._parts = {"a": Router(cfg), "r": ReductionRouter(cfg)}
        super().__init__({
            f"{side}_{name}": member
            for side, part in self._parts.items() for name, member in part.signature.members.items()
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for side, part in self._parts.items():
            m.submodules[side] = part
            for name, member in part.signature.members.items():
                inner, outer = getattr(part, name), getattr(self, f"{side}_{name}")
                if member.is_signature:
                    connect(m, inner, flipped(outer))
                elif member.flow is wiring.In:
                    m.d.comb += inner.eq(outer)
                else:
                    m.d.comb += outer.eq(inner)
        return m


def parts() -> Iterator[Figures]:
    """Rows of the table: parts of an 8 x 6 mesh, queues of 16 flits, the position (3, 2) tied off."""

    def row(name: str, component: wiring.Component, port: str = "") -> Figures:
        place = PlaceLayout.pack(cfg, 3, 2)
        value = place["column"] | place["row"] << cfg.columns
        return {"router": name} | synthesise(component, {port: value} if port else {})

    for bits in (32, 64):
        cfg = MeshConfig(payload_bits=bits)
        yield row(f"router, multicast, {bits} bits", Router(cfg), "place")
        yield row(f"router, multicast + reduction of 2 contexts, {bits} bits", _Both(cfg), "a_place")
        yield row(f"network interface, {bits} bits", NetworkInterface(cfg))
        yield row(f"node: all of these with registers, {bits} bits", Node(cfg), "place")


def synthesise(component: wiring.Component, constants: dict[str, int]) -> Figures:
    """Cells of a component alone, and what a design reaches in which all its ports come from and go to flip-flops.

    The best clock of three seeds in an LFE5U-25F-6. Input ports ``constants`` are tied off.
    """
    texts = emit(component, name="mho_part", prefix="mho_", reset_low=False)
    ports = module_ports(texts["mho_part"], "mho_part")
    assert ports is not None
    with tempfile.TemporaryDirectory(prefix="mho-noc-") as name:
        folder = Path(name)
        (folder / "part.v").write_text("\n".join([*texts.values(), _tied(ports, constants)]))
        result = _ecp5_cells(folder)
        (folder / "wrap.v").write_text(_wrapped({n: p for n, p in ports.items() if n not in constants}))
        return result | _place_ecp5(folder)


def _tied(ports: dict[str, Port], constants: dict[str, int]) -> str:
    """The part with its constants tied off."""
    open_ports = [p for n, p in ports.items() if n not in constants]
    declared = ", ".join(f"{p.direction} wire [{(p.width or 1) - 1}:0] {p.name}" for p in open_ports)
    joined = [f".{p.name}({p.name})" for p in open_ports]
    joined += [f".{name}({ports[name].width}'d{value})" for name, value in constants.items()]
    return f"module tied ({declared});\n  mho_part part ({', '.join(joined)});\nendmodule\n"


def _wrapped(ports: dict[str, Port]) -> str:
    """Inputs from a shift register; outputs to flip-flops, whose exclusive or in groups goes to pins."""
    sides = {"input": 0, "output": 0}
    joined = [".clk(clk)"]
    for name, port in ports.items():
        if name != "clk":
            low = sides[port.direction]
            sides[port.direction] += port.width or 1
            joined.append(f".{name}({port.direction}s[{sides[port.direction] - 1}:{low}])")
    inputs, outputs = sides.values()
    pins = -(-outputs // _GROUP)
    groups = "\n".join(
        f"    pins[{k}] <= ^held[{min(outputs, (k + 1) * _GROUP) - 1}:{k * _GROUP}];" for k in range(pins)
    )
    return f"""module wrap (input wire clk, input wire bits, output reg [{pins - 1}:0] pins);
  reg [{inputs - 1}:0] inputs;
  wire [{outputs - 1}:0] outputs;
  reg [{outputs - 1}:0] held;
  always @(posedge clk) begin
    inputs <= {{inputs[{inputs - 2}:0], bits}};
    held <= outputs;
{groups}
  end
  tied tied ({", ".join(joined)});
endmodule
"""


def _ecp5_cells(folder: Path) -> dict[str, int]:
    run_tool(["yosys", "-q", "-p", "read_verilog part.v; synth_ecp5 -top tied; tee -o stat stat"], folder)
    text = (folder / "stat").read_text()
    counts = dict(re.findall(r"^\s+(\w+)\s+(\d+)$", text, re.MULTILINE))
    return {key: int(counts.get(cell, 0)) for key, cell in CELLS.items()}


def _place_ecp5(folder: Path) -> Figures:
    run_tool(["yosys", "-q", "-p", "read_verilog part.v wrap.v; synth_ecp5 -top wrap -json wrap.json"], folder)
    clocks, comb = [], 0
    for seed in SEEDS:
        command = [
            "nextpnr-ecp5", "--25k", "--package", "CABGA381", "--speed", "6", "--json", "wrap.json",
            "--freq", str(WANTED_MHZ), "--seed", str(seed), "--lpf-allow-unconstrained", "--timing-allow-fail",
        ]
        text = run_tool(command, folder)
        clocks.append(fmax_MHz(text))
        match = re.search(r"TRELLIS_COMB: +(\d+)", text)
        comb = int(match[1]) if match else 0
    return {"comb": comb, "mhz": max(clocks), "mhz_all": clocks}
