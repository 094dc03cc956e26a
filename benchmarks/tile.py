"""How much of the time of a layer on a tile is not analog: ``python benchmarks/tile.py``.

Layers are compiled for one tile with a core of 256 lines, their program is run in Verilator with the core, all codes
as wide as asked for and without early stop, so that every product takes the same time. Printed is the mean of a product
in the steady state: cycles, analog cycles, what is beyond these, and how long each part of the tile works meanwhile.
"""

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import Figures, options, run_tool, tell

from mho.compiler import CompileOptions
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.hw.config import load_chip
from mho.hw.host.bus import RegisterBus
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.hw.noc.flit import Arrival
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import program_writes
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.engines.receive import InLayout
from mho.hw.tile.rtl.host import ADDRESS_WIDTH, CONTROL
from mho.rtl_gen.verilog.netlist import emit
from mho.sim.build.toolchain import cache_folder
from tests.compiler.importer.onnx_models import build, node

LIMIT = 600_000
BENCH = Path(__file__).with_name("tile_bench.sv")


class Bench(wiring.Component):
    """A tile with its core, and what is to be seen of both."""

    def __init__(self, cfg: TileConfig, core: TnsaCoreConfig) -> None:
        self.cfg, self.core = cfg, core
        self._ports: Any = self
        self._tile = TileController(cfg)
        tile = self._tile.signature.members
        super().__init__({
            "bus": In(RegisterBus(ADDRESS_WIDTH)), "i": In(Arrival(InLayout(cfg))), "o": tile["o"],
            "acknowledge": tile["acknowledge"], "cmp": In(cfg.lines), "op_goes": Out(1), "code_goes": Out(1),
            "word_goes": Out(1), "precharge": Out(1), "analog": Out(48), "busy": Out(3),
            "retire": Out(1), "pc": Out(9),
        })

    def elaborate(self, platform: object) -> Module:
        m, ports = Module(), self._ports
        m.submodules.tile = tile = self._tile
        m.submodules.core = core = TnsaCore(self.core)
        for source, sink in ((tile.op, core.op), (tile.codes, core.i), (core.o, tile.drain)):
            connect(m, source, sink)
        for inner, outer in ((tile.bus, ports.bus), (tile.i, ports.i), (tile.o, ports.o),
                             (tile.acknowledge, ports.acknowledge)):
            connect(m, inner, flipped(outer))
        m.d.comb += [
            core.macro.cmp.eq(ports.cmp), core.words.eq(tile.words), core.soft_reset.eq(tile.reset),
            tile.refused.eq(core.status.error),
            ports.op_goes.eq(tile.op.valid & tile.op.ready), ports.code_goes.eq(tile.codes.valid & tile.codes.ready),
            ports.word_goes.eq(core.o.valid & core.o.ready), ports.precharge.eq(core.macro.precharge),
            ports.analog.eq(core.status.cycles_analog), ports.busy.eq(tile.busy),
            ports.retire.eq(tile.retire), ports.pc.eq(tile.retired.pc),
        ]
        return m


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer: its nodes, weights and input; blocks are ``flits`` long."""

    name: str
    nodes: list[Any]
    weights: dict[str, tuple[int, ...]]
    shape: tuple[int, ...]
    output: str


LAYERS = (
    Layer(name="3x3 convolution 16 -> 16", shape=(16, 16, 16), output="bcd", weights={"a": (16, 16, 3, 3)},
          nodes=[node("Conv", "x a", "c", pads=[1] * 4), node("Relu", "c", "y")]),
    Layer(name="perceptron 120 x 80", shape=(120,), output="b", weights={"a": (80, 120)},
          nodes=[node("Gemm", "x a", "c", transB=1), node("Relu", "c", "y")]),
)


def compiled(layer: Layer) -> tuple[Program, TileConfig, int, int]:
    """Program and tile of a layer, products of an image, bytes of a block that comes."""
    rng = np.random.default_rng(0)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in layer.weights.items()}
    x = rng.uniform(-1, 1, size=(8, *layer.shape)).astype("f4")
    model = build(layer.nodes, weights, shape=("batch", *layer.shape), output=("batch", *layer.output))
    options = CompileOptions(seeds=1, samples=8, copies=1)  # the layer alone: copies are for accuracy and take longer
    network = compile_tiles(model, load_chip("neurram-core"), calibrate=x, options=options)
    programs = tile_programs(network)
    (place,) = programs.joined.tiles.values()
    ((_, number),) = programs.given
    products = sum(len(compiled_layer.mvms) * compiled_layer.positions for compiled_layer in network.layers)
    return place.program, place.cfg, products, place.program.descriptor("stream", number)["block"]


def with_bits(program: Program, in_bits: int, out_bits: int) -> Program:
    """The same with products of these widths that stop late."""
    table, words = DESCRIPTORS["mvm"], list(program.descriptors)
    for number in range(table.count):
        values = program.descriptor("mvm", number)
        if any(values.values()):
            op = values["op"] | values["op_high"] << 32
            op &= ~(0xF << 1 | 0xF << 6 | 1 << 12)
            op |= in_bits << 1 | out_bits << 6
            words[table.at(number)] = table.layout.pack(values | {"op": op & 0xFFFFFFFF, "op_high": op >> 32})
    return replace(program, descriptors=tuple(words))


def built(cfg: TileConfig, core: TnsaCoreConfig, defines: dict[str, object]) -> Path:
    """The simulator of a bench, from the cache if it was built before."""
    texts = emit(Bench(cfg, core), name="dut", prefix="mho_", reset_low=False)
    text = "\n".join(texts.values())
    names = [f"-D{name}={value}" for name, value in defines.items()]
    key = hashlib.sha256("\0".join([text, BENCH.read_text(), *names]).encode()).hexdigest()[:24]
    folder = cache_folder() / "tile-bench" / key
    program = folder / "obj_dir" / "Vbench"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dut.v").write_text(text)
        run_tool([
            "verilator", "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-O3", "-CFLAGS", "-O1", "--top-module",
            "bench", *names, "dut.v", str(BENCH)], folder)
    return program


def measure(layer: Layer, bits: tuple[tuple[int, int], ...], images: tuple[int, int]) -> Iterator[Figures]:
    """Rows of a layer."""
    program, cfg, products, block = compiled(layer)
    cfg = replace(cfg, ranged=True)
    core = TnsaCoreConfig.from_chip(load_chip("neurram-core"), ranged=True)
    first, last = (max(n * products, 8) for n in images)
    for widths in bits:
        writes = [*program_writes(with_bits(program, *widths), cfg), (CONTROL, 1)]
        with tempfile.TemporaryDirectory(prefix="mho-tile-") as name:
            folder = Path(name)
            (folder / "writes.hex").write_text("\n".join(f"{a << 32 | w:013x}" for a, w in writes))
            simulator = built(cfg, core, {
                "FLITS": -(-block // 8), "FIRST": first, "LAST": last, "WRITES": len(writes),
                "LIMIT": LIMIT, **({"TRACE": 1} if "TRACE" in os.environ else {}),
            })
            text = run_tool([str(simulator)], folder)
        counts = {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", text)}
        if "cycles" not in counts:
            raise SystemExit(f"{layer.name}: {text}")
        count = last - first
        yield {"layer": layer.name, "bits": widths, "products": count} | {k: v / count for k, v in counts.items()}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--layer", default="", help="layers whose names hold this alone")
    args = parser.parse_args()
    names = ("cycles", "analog", "loading", "codes", "words", "vector", "sending", "flits")
    print(f"{'a product takes':<26}{'bits':>7}" + "".join(f"{name:>9}" for name in names) + f"{'beyond':>9}")
    rows = []
    for layer in LAYERS:
        if args.layer in layer.name:
            for row in measure(layer, ((4, 6), (2, 4)), (1, 2) if "conv" in layer.name else (20, 60)):
                rows.append(row)
                beyond = row["cycles"] / row["analog"] - 1
                print(f"{row['layer']:<26}{'{}/{}'.format(*row['bits']):>7}"
                      + "".join(f"{row[name]:>9.1f}" for name in names) + f"{beyond:>9.1%}")
    tell(args, rows)


if __name__ == "__main__":
    main()
