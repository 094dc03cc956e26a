"""Runs an emulator in the generated Verilog, compiled by Verilator: a script of transfers in, words and cycles out."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw import emulator
from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.emulator.config import CELLS, EmulatorConfig, LoadLayout, LoadWord
from mho.hw.emulator.kind import CoreLoads
from mho.hw.emulator.kinds.tnsa import EMULATOR
from mho.hw.emulator.kinds.tnsa.config import TnsaEmulatorConfig
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import CAUSES, load_device
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.build.bench import build_bench
from mho.sim.build.verilate import verilog_text
from tests.stream_bench import StreamBench

FROZEN = frozenset(CAUSES) - {"read-noise", "wire"}
SPRAM = Path(emulator.__file__).with_name("sb_spram256ka.v")
STREAMS = ("load", "mask", "op", "i")
LOAD, MASK, OP, INPUT, IDLE = range(5)


@dataclass
class Replay:
    """What an emulator gave."""

    codes: NDArray[np.int16]
    """Of shape (operations, lines)."""
    done: NDArray[np.uint64]
    sent: NDArray[np.uint64]
    error: int
    mvms: int
    cycles_total: int
    cycles_analog: int
    cycles_hold: int


@dataclass
class Script:
    """Transfers in their order."""

    cfg: EmulatorConfig
    records: list[tuple[int, int, int]] = field(default_factory=list)
    _masks: MaskFile | None = None

    def load(self, words: Iterable[LoadWord], pause: int = 0) -> None:
        layout = LoadLayout(self.cfg)
        width = layout["data"].offset
        for word in words:
            bits = word.index | word.region << layout["region"].offset | word.data << width
            self.records.append((LOAD, pause, bits))

    def masks(self, masks: Masks) -> None:
        file = MaskFile(self.cfg.core)
        for number, mask in enumerate(masks.rows):
            for addr, word in file.words(number, mask):
                width = (18 * self.cfg.core.mask_words - 1).bit_length()
                self.records.append((MASK, 0, addr | word << width))

    def operation(self, op: MvmOperation, x: NDArray[np.integer], op_id: int = 0, pause: int = 0) -> None:
        self.records.append((OP, pause, pack(op, op_id)))
        self.records += [(INPUT, pause, word) for word in pack_inputs(x)]

    def idle(self) -> None:
        """Wait until nothing is in progress."""
        self.records.append((IDLE, 0, 0))


def build(cfg: TnsaEmulatorConfig, folder: Path) -> Path:
    """The simulator."""
    sources = [SPRAM] if cfg.memory == "spram" else []
    return build_bench(folder, verilog_text(emulated_core(cfg), "emulator"), "mho_emulator", sources, fast="-O1")


def emulated_core(cfg: TnsaEmulatorConfig) -> Any:
    return EMULATOR.component(cfg)


def core_loads(cfg: TnsaEmulatorConfig, model: TnsaModel) -> tuple[CoreLoads, list[LoadWord]]:
    """What is loaded of a programmed core, and what of it before any operation."""
    loads = CoreLoads(EMULATOR, cfg, model)
    return loads, [*(LoadWord(CELLS, k, word) for k, word in enumerate(loads.cells().tolist())), *loads.first()]


def programmed(
    lines: int, g_bits: int, device: str = "rram-neurram", causes: frozenset[str] = FROZEN, **overrides: Any
) -> tuple[TnsaCoreConfig, TnsaModel]:
    """A core with durations that are constants, as on a board, and its programmed model."""
    corelet = {16: 4, 64: 8, 256: 16}[lines]
    chip = load_chip("neurram-core", overrides={"core.corelet": corelet, "core.g_bits": g_bits, **overrides})
    targets = np.random.default_rng(lines).uniform(1.0, 40.0, (lines, lines))
    model = TnsaModel(
        chip.macro_config(), targets, device=load_device(device), seed=3, core=1, time_s=86400.0, causes=causes
    )
    return replace(TnsaCoreConfig.from_chip(chip), trim=False, manual=False), model


def replay(simulator: Path, script: Script, *, stall: int = 0) -> Replay:
    """Run a script."""
    bench = StreamBench(simulator, reset_cycles=1)
    bench.reset()
    for stream in STREAMS:
        bench.feed(stream)
    bench.catch("o", stall=stall)
    done = bench.probe("status_done")
    for port, pause, bits in script.records:
        if port == IDLE:
            bench.wait("status_busy", 0, 4)
        else:
            bench.queue(STREAMS[port], [bits], pause=pause)
    assert bench.run_until_sent("status_busy", 0, 4, limit=2_000_000_000), "it hangs"
    codes = bench.caught("o")[:, 1].astype("<u4").view("<i2").reshape(-1, script.cfg.lines)
    status = [bench.get(f"status_{name}") for name in ("error", "mvms", "cycles_total", "cycles_analog", "cycles_hold")]
    result = Replay(codes, bench.noted(done)[:, 0].astype(np.uint64), bench.sent().astype(np.uint64), *status)
    bench.close()
    return result
