"""Runs an emulator in the generated Verilog, compiled by Verilator: a script of transfers in, words and cycles out."""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from hw import emulator
from hw.core import MaskFile, pack, pack_inputs
from hw.core.write_verify import WriteVerifyConfig
from hw.emulator import (
    EmulatorConfig,
    LoadLayout,
    LoadWord,
    PinEmulatorConfig,
    PinLevelCore,
    VectorEmulator,
)
from macro_models.exact.masks import Masks
from macro_models.exact.operation import MvmOperation
from rtl_gen.verilog.netlist import emit

BENCH = Path(__file__).with_name("emulator_replay.cpp.txt")
SPRAM = Path(emulator.__file__).with_name("vector") / "sb_spram256ka.v"
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


def compile_bench(
    component: wiring.Component, name: str, main: Path, folder: Path, *, defines: Sequence[str] = (),
    sources: Sequence[Path] = (),
) -> Path:
    """A simulator of the Verilog of a component, with a C++ main program."""
    texts = emit(component, name=name, prefix="my_", reset_low=False)
    (folder / f"{name}.v").write_text("\n".join(texts.values()))
    (folder / "bench.cpp").write_text(main.read_text())
    flags = ["-O3", "--noassert", "--x-assign", "fast", "--x-initial", "fast", "-CFLAGS", " ".join(["-O1", *defines])]
    command = ["verilator", "--cc", "--exe", "--build", "-Wno-fatal", *flags, "--top-module", name]
    inputs = [f"{name}.v", *(str(path) for path in sources), "bench.cpp"]
    subprocess.run([*command, *inputs], cwd=folder, check=True, capture_output=True)
    return folder / "obj_dir" / f"V{name}"


def build(cfg: EmulatorConfig, folder: Path) -> Path:
    """The simulator."""
    sources = [SPRAM] if cfg.memory == "spram" else []
    return compile_bench(emulated_core(cfg), "emulator", BENCH, folder, sources=sources)


def emulated_core(cfg: EmulatorConfig) -> wiring.Component:
    """What is emulated at the vector level, or at that of the pins."""
    if not isinstance(cfg, PinEmulatorConfig):
        return VectorEmulator(cfg)
    if cfg.verify_bits is None:
        return PinLevelCore(cfg)
    return PinLevelCore(cfg, WriteVerifyConfig(lines=cfg.lines, verify_bits=cfg.verify_bits))


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
