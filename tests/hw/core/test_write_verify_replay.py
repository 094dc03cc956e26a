"""Whole arrays in the generated Verilog: compiled by Verilator, fed with what the cells of the reference answered."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hw.core.write_verify import (
    PULSE,
    WriteVerify,
    WriteVerifyConfig,
    WriteVerifyParameters,
    cycles,
    program,
)
from macro_models.cells.pulses import PulseArray, PulseConfig
from macro_models.devices import load_device
from rtl_gen.verilog.netlist import emit

BENCH = Path(__file__).with_name("write_verify_replay.cpp.txt")


class Recorded:
    """Cells that write down the code of every read, with pass, cell and number."""

    def __init__(self, cells: PulseArray) -> None:
        self._cells, self._pass = cells, 0
        self._reads: list[NDArray[np.int64]] = []

    def verify(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        codes = self._cells.verify(cells)
        self._reads.append(np.stack([np.full(len(cells), self._pass), cells, self._cells.verify_count[cells], codes]))
        return codes

    def pulse(
        self, cells: NDArray[np.int64], polarity: NDArray[np.int64], amplitude: NDArray[np.int64],
        cycles: NDArray[np.int64],
    ) -> None:
        self._cells.pulse(cells, polarity, amplitude, cycles)

    def relax(self, write_pass: int) -> None:
        self._cells.relax(write_pass)
        self._pass = write_pass

    def codes(self) -> NDArray[np.uint16]:
        """All codes in the order of the hardware."""
        reads = np.concatenate(self._reads, axis=1)
        return reads[3, np.lexsort((reads[2], reads[1], reads[0]))].astype(np.uint16)


def build(cfg: WriteVerifyConfig, folder: Path) -> Path:
    """The simulator."""
    texts = emit(WriteVerify(cfg), name="write_verify", prefix="my_", reset_low=False)
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    (folder / "bench.cpp").write_text(BENCH.read_text())
    lint = ["verilator", "--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "--top-module", "write_verify"]
    run = subprocess.run([*lint, *(f"{name}.v" for name in texts)], cwd=folder, capture_output=True, text=True)
    assert run.stderr == ""
    flags = ["-O3", "--noassert", "-CFLAGS", f"-O2 -DLINES={cfg.lines} -DVERIFY_BITS={cfg.verify_bits}"]
    command = ["verilator", "--cc", "--exe", "--build", "-Wno-fatal", *flags, "--top-module", "write_verify"]
    subprocess.run(
        [*command, *(f"{name}.v" for name in texts), "bench.cpp"], cwd=folder, check=True, capture_output=True
    )
    return folder / "obj_dir" / "Vwrite_verify"


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize("lines", [64, 256])
def test_a_whole_array_pulse_for_pulse(lines: int, tmp_path: Path) -> None:
    cfg = WriteVerifyConfig(lines=lines)
    device = load_device("rram-neurram")
    device = replace(device, stuck=replace(device.stuck, fraction=0.002, values_uS=(0.0, 45.0)))
    scales = PulseConfig(lines=lines, cycle_s=1e-7)
    p = WriteVerifyParameters(
        passes=3 if lines == 64 else 1, set_cycles=10, reset_cycles=10, wait_cycles=1000, max_at_ceiling=5
    )
    rng = np.random.default_rng(lines)
    targets, skip = scales.codes(rng.uniform(1.0, 40.0, (lines, lines))), rng.random((lines, lines)) < 0.01
    cells = Recorded(PulseArray(scales, device=device, seed=7, core=1))
    expected = program(cfg, p, targets, cells, skip)

    simulator = build(cfg, tmp_path)
    packed = p.pack(cfg)
    np.array([packed >> 32 * k & 0xFFFFFFFF for k in range(-(-packed.bit_length() // 32))], dtype="<u4").tofile(
        tmp_path / "registers.u32"
    )
    (targets | skip << 15).astype("<u2").tofile(tmp_path / "targets.u16")
    cells.codes().tofile(tmp_path / "codes.u16")
    run = subprocess.run([str(simulator)], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout
    pulses = np.fromfile(tmp_path / "pulses.u32", dtype="<u4").reshape(-1, 6)
    for k, name in enumerate(PULSE.names or ()):
        np.testing.assert_array_equal(pulses[:, k], expected.pulses[name])
    results = np.fromfile(tmp_path / "results.u32", dtype="<u4").reshape(p.passes, lines, lines)
    np.testing.assert_array_equal(results & 1023, expected.codes)
    np.testing.assert_array_equal(results >> 10 & 1, expected.faults)
    np.testing.assert_array_equal(results >> 11, expected.counts)
    assert int(run.stdout) == cycles(cfg, p, expected.reads.sum(), expected.pulses)
    assert expected.faults[-1].any()
