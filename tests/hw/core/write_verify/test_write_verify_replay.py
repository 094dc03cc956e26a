"""Whole arrays in the generated Verilog: compiled by Verilator, fed with what the cells of the reference answered."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.engine import WriteVerify
from mho.hw.core.write_verify.reference import PULSE, cycles, program
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import load_device
from mho.sim.build.bench import build_bench
from mho.sim.build.verilate import verilog_text
from tests.stream_bench import StreamBench


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
    text = verilog_text(WriteVerify(cfg), "write_verify")
    (folder / "lint.v").write_text(text)
    lint = ["verilator", "--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-DECLFILENAME", "--top-module"]
    run = subprocess.run([*lint, "mho_write_verify", "lint.v"], cwd=folder, capture_output=True, text=True)
    assert run.stderr == ""
    return build_bench(folder, text, "mho_write_verify")


PINS = ("set_pulse", "reset_pulse", "form_pulse", "write_pass", "write_wl", "write_sl", "amplitude")


def seen_pulses(notes: NDArray[np.int64], lines: int) -> NDArray[np.int64]:
    """Pass, row, column, kind, amplitude and width of each pulse, from what the pins had from which cycle on."""
    words = -(-lines // 32)
    kinds, width = notes[:, 1:4], np.append(np.diff(notes[:, 0]), 0)
    bits = np.unpackbits(notes[:, 5 : 5 + 2 * words].astype("<u4").view(np.uint8), axis=1, bitorder="little")
    row, col = bits[:, : 32 * words].argmax(axis=1), bits[:, 32 * words :].argmax(axis=1)
    on = kinds.any(axis=1)
    assert (bits[on].sum(axis=1) == 2).all(), "one cell"
    return np.column_stack([notes[:, 4], row, col, kinds.argmax(axis=1), notes[:, -1], width])[on]


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize("lines", [64, pytest.param(256, marks=pytest.mark.long)])
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

    bench = StreamBench(build(cfg, tmp_path))
    bench.set("p", p.pack(cfg))
    bench.set("macro_verify_valid", 1)
    bench.set("enabled", 1)
    bench.reset()
    bench.feed("i")
    bench.catch("o")
    pins = bench.probe(*(f"macro_{name}" for name in PINS), changes=True)
    reads = bench.probe("macro_verify")
    codes = cells.codes()
    bench.reply("macro_verify", "macro_verify_code", codes)
    bench.set("start", 1)
    bench.run(1)
    bench.set("start", 0)
    bench.queue("i", (targets | skip << cfg.verify_bits).astype(np.uint32).reshape(-1, 1), repeat=True)
    assert bench.run_until("status_done", 1, limit=500_000_000)
    assert len(bench.noted(reads)) == len(codes)
    pulses = seen_pulses(bench.noted(pins).astype(np.int64), lines)
    for k, name in enumerate(PULSE.names or ()):
        np.testing.assert_array_equal(pulses[:, k], expected.pulses[name])
    results = bench.caught("o")[:, 1].reshape(p.passes, lines, lines)
    np.testing.assert_array_equal(results & 1023, expected.codes)
    np.testing.assert_array_equal(results >> 10 & 1, expected.faults)
    np.testing.assert_array_equal(results >> 11, expected.counts)
    assert bench.get("status_cycles_total") == cycles(cfg, p, expected.reads.sum(), expected.pulses)
    bench.close()
    assert expected.faults[-1].any()
