"""Tiles on a simulated board behind a pseudo-terminal: one session after another, and losses of the board."""

from pathlib import Path

import numpy as np
import pytest

from mho.fpga.backends import TilesFpgaBackend
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.fpga.test_board_terminal import Board
from tests.sim.board.test_board_tiles import FROZEN, perceptron


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
def test_a_board_that_holds_a_network_is_loaded_with_the_next_one_and_anew_after_a_loss(tmp_path: Path) -> None:
    pytest.importorskip("serial")
    board = Board(tmp_path / "board", "ulx3s-85f", load_chip("tnsa16-2x2"))
    losses = {None: None, "reset": lambda: board.terminal.reset(), "replug": board.replug}
    said: list[str] = []
    try:
        for hidden, seed, loss in ((20, 1, None), (12, 2, None), (20, 3, "reset"), (12, 4, "replug")):
            network, x = perceptron(hidden=hidden)
            options = {"device": "rram-neurram", "seed": seed, "time_s": 86_400.0, "causes": FROZEN}
            action = losses[loss]
            if action is not None:
                board.disturb_after(3000, action)  # of 5,800, the first 400 of which say what it is
            backend = TilesFpgaBackend(str(board.port), note=said.append)
            outputs = execute(network, backend, x[:2], **options).outputs
            assert np.array_equal(outputs, execute(network, FunctionalBackend(), x[:2], **options).outputs)
            assert (backend.reloads, board.disturb) == (int(loss is not None), None)
            backend.close()
    finally:
        board.close()
    assert [line.partition(": the board ")[2] for line in said if line.endswith("loaded again")] == [
        "was reset, or another program opened its link; it will be loaded again",
        "was unplugged or switched off; it will be loaded again",
    ]
