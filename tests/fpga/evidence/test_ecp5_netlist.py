"""A core of an ECP5 as Yosys leaves it, on its serial line: its products, and the cells that it programs."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.fpga.boards import find_board
from mho.fpga.build.build import prepare
from mho.fpga.config import board_config
from mho.fpga.evidence.compare import compare_operations, compare_writes, power_up
from mho.fpga.evidence.verify import netlist_program
from mho.fpga.link.simulated import PinsTransport
from mho.hw.config import load_chip
from mho.sim.core.bench.write_stimulus import make_write_stimulus

BOARD = find_board("ulx3s-85f")


@pytest.mark.cosim("yosys", "verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.long
def test_the_netlist_multiplies_and_programs_as_the_numpy_models_do(tmp_path: Path) -> None:
    # A faster line than that of the board: most of the time goes into loading.
    cfg = replace(board_config(BOARD.name, load_chip("tnsa16-core", {"core.g_bits": 4})), baud=6_250_000)
    assert cfg.programs
    prepare(BOARD, cfg, tmp_path)
    subprocess.run(["yosys", "-q", "top.ys"], cwd=tmp_path, check=True)
    line = power_up(PinsTransport(netlist_program((tmp_path / "top_netlist.v").read_text(), BOARD.family), cfg.uart))
    try:
        counts = compare_operations(cfg, line, vectors=1)
        stimulus = make_write_stimulus(cfg.chip, 0, 4)
        # One cell in nine, of every row and column: a netlist is slow.
        skipped = np.arange(stimulus.skip.size).reshape(stimulus.skip.shape) % 9 != 0
        run = compare_writes(line, replace(stimulus, skip=stimulus.skip | skipped))
    finally:
        line.close()
    assert (counts.operations, counts.codes) == (4, 4 * 16)
    assert len(run.pulses) > 50
    assert run.faults.any()
    assert not run.faults.all()
