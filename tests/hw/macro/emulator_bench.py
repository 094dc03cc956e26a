"""Runs an emulator in the generated Verilog, compiled by Verilator: a script of transfers in, words and cycles out."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.core import MaskFile, pack, pack_inputs
from hw.macro import emulator
from hw.macro.emulator import EmulatorConfig, LoadLayout, LoadWord, VectorEmulator
from macro_models.exact.masks import Masks
from macro_models.exact.operation import MvmOperation
from rtl_gen.netlist import emit

BENCH = Path(__file__).with_name("emulator_replay.cpp.txt")
SPRAM = Path(emulator.__file__).with_name("sb_spram256ka.v")
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


def build(cfg: EmulatorConfig, folder: Path) -> Path:
    """The simulator."""
    texts = emit(VectorEmulator(cfg), "emulator", prefix="my_", name="emulator", reset_low=False)
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    (folder / "bench.cpp").write_text(BENCH.read_text())
    sources = [f"{name}.v" for name in texts] + ([str(SPRAM)] if cfg.memory == "spram" else [])
    flags = ["-O3", "--noassert", "--x-assign", "fast", "--x-initial", "fast", "-CFLAGS", "-O2"]
    command = ["verilator", "--cc", "--exe", "--build", "-Wno-fatal", *flags, "--top-module", "emulator"]
    subprocess.run([*command, *sources, "bench.cpp"], cwd=folder, check=True, capture_output=True)
    return folder / "obj_dir" / "Vemulator"


def replay(simulator: Path, script: Script, *, stall: int = 0) -> Replay:
    """Run a script."""
    folder = simulator.parent.parent
    records = np.array(
        [[port, pause, *(bits >> 32 * k & 0xFFFFFFFF for k in range(4))] for port, pause, bits in script.records],
        dtype="<u4",
    )
    records.tofile(folder / "script.u32")
    run = subprocess.run([str(simulator), str(stall)], cwd=folder, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout
    codes = np.fromfile(folder / "output.u32", dtype="<u4").view("<i2").reshape(-1, script.cfg.lines)
    done, sent = (np.fromfile(folder / f"{name}.u64", dtype="<u8") for name in ("done", "sent"))
    return Replay(codes, done, sent, *(int(word) for word in run.stdout.split()))
