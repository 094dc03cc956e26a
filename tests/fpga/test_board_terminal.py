"""The driver of a board on a simulated one behind a pseudo-terminal: resets and unplugging in mid-transfer."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.fpga.backends import FpgaBackend, connect_board
from mho.fpga.config import board_config
from mho.fpga.simulate import BoardTerminal, check_link
from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks, load_device
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.board.driver import read_info
from mho.sim.core.bench.write_stimulus import make_write_stimulus
from mho.sim.functional import FunctionalBackend
from tests.sim.board.test_board_program import same_run

CHIP = load_chip("tnsa16-core")
OPS = (
    TnsaOperation(), TnsaOperation(direction=Direction.BACKWARD, step_code=300),
    TnsaOperation(in_bits=8, step_code=60),
)
MASKS = Masks.reset(16)


def core(number: int) -> TnsaModel:
    targets = np.random.default_rng(number).uniform(1, 40, (16, 16))
    causes = frozenset({"programming", "relaxation", "adc"})
    device = load_device("rram-neurram")
    config = CHIP.macro_config()
    assert isinstance(config, TnsaConfig)
    return TnsaModel(config, targets, device=device, seed=3, core=number, causes=causes)


class Board:
    """A simulated board that can be plugged in at ``port``, served by a thread.

    :meth:`disturb_after` has something done once, after so many bytes from the host: bytes, since time passes for a
    host under load, too, whatever it has done.
    """

    def __init__(self, port: Path, name: str = "hx8k-breakout", chip: Chip = CHIP) -> None:
        config = board_config(name, chip)
        # The fewest cycles of a bit.
        self.port, self.config = port, replace(config, clock_hz=8 * config.baud)
        self.disturb: Callable[[], None] | None = None
        self.bytes_left = 0
        self._end = threading.Event()
        self.terminal = BoardTerminal(self.config, port)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def disturb_after(self, count: int, action: Callable[[], None]) -> None:
        self.bytes_left, self.disturb = count, action

    def _serve(self) -> None:
        while not self._end.is_set():
            count = self.terminal.step(0.05)
            if self.disturb is not None:
                self.bytes_left -= count
                if self.bytes_left <= 0:
                    action, self.disturb = self.disturb, None
                    action()

    def replug(self) -> None:
        """Pull the plug and put it in again: another terminal, at the same name."""
        self.terminal.close()
        self.terminal = BoardTerminal(self.config, self.port)

    def close(self) -> None:
        self._end.set()
        self._thread.join(60)
        self.terminal.close()


@pytest.fixture
def board(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Board]:
    pytest.importorskip("serial")
    board = Board(tmp_path / "board", getattr(request, "param", "hx8k-breakout"))
    yield board
    board.close()


def products(backend: Any, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for number, op in enumerate(OPS):
        low, high = op.input_range
        x = rng.integers(low, high + 1, (3, 16 if op.direction else 8))
        for index in range(2):
            yield backend.mvm(index, op, MASKS, x, number).codes


def compare(backend: FpgaBackend, opened: Callable[[], None]) -> None:
    """The codes of a backend; ``opened`` is called when the board has said what it is."""
    cores = [core(0), core(1)]
    functional = FunctionalBackend()
    backend.open(CHIP, cores)
    opened()
    functional.open(CHIP, cores)
    board_codes = list(products(backend, np.random.default_rng(1)))
    for codes, expected in zip(board_codes, products(functional, np.random.default_rng(1)), strict=True):
        np.testing.assert_array_equal(codes, expected)


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_it_says_what_it_is_and_refuses_networks_for_other_chips(board: Board) -> None:
    with connect_board(str(board.port)) as client:
        info = read_info(client, "there")
    assert (info.sha256, info.lines, info.g_bits, info.serial) == (CHIP.sha256, 16, 12, False)
    assert info.clock_hz == 24_000_000
    noisy = load_chip("tnsa16-core", {"adc.sigma_gain": 0.02})
    backend = FpgaBackend(str(board.port))
    try:
        with pytest.raises(ToolError, match=r"board: the board was built for another chip \(description [0-9a-f]{8}\)"):
            backend.open(noisy, [])
    finally:
        backend.close()


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 800, 3000])
@pytest.mark.parametrize("what", ["reset", "replug"])
def test_codes_are_the_same_after_a_reset_or_unplugging_in_mid_transfer(what: str, count: int, board: Board) -> None:
    """While cells are loaded, and between products: of 6,800 bytes in all."""
    said: list[str] = []
    backend = FpgaBackend(str(board.port), note=said.append)
    actions = {"reset": lambda: board.terminal.reset(), "replug": board.replug}
    try:
        compare(backend, lambda: board.disturb_after(count, actions[what]))
    finally:
        backend.close()
    assert board.disturb is None
    said = [line for line in said if line.endswith("loaded again")]
    assert backend.reloads == len(said) == 1
    reason = "was reset, or another program opened its link" if what == "reset" else "was unplugged or switched off"
    assert said == [f"{board.port}: the board {reason}; it will be loaded again"]


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
@pytest.mark.parametrize("board", ["ulx3s-85f"], indirect=True)
@pytest.mark.parametrize(("what", "units"), [("reset", "cells"), ("replug", "words")])
def test_cells_are_the_same_after_a_reset_or_unplugging_while_they_are_programmed(
    what: str, units: str, board: Board
) -> None:
    stimulus, cells = make_write_stimulus(CHIP, 31, 0), CHIP.lines**2
    passes, disturbed = 0, False

    def disturb(done: int, total: int) -> None:
        nonlocal passes, disturbed
        passes += total == done == cells
        # In the middle of the tables, or of the second pass.
        consistent = (total == cells, passes) == ((True, 1) if units == "cells" else (False, 0))
        if consistent and done > total // 3 and not disturbed:
            disturbed = True
            board.disturb_after(1, {"reset": lambda: board.terminal.reset(), "replug": board.replug}[what])

    said: list[str] = []
    backend = FpgaBackend(str(board.port), note=said.append, progress=disturb)
    try:
        backend.open(CHIP, [])
        run = backend.program(0, stimulus.array(), stimulus.targets, stimulus.skip, stimulus.parameters)
    finally:
        backend.close()
    assert disturbed
    assert backend.reloads == sum(line.endswith("loaded again") for line in said) == 1
    same_run(run, stimulus.expected(), what)


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_a_board_that_does_not_come_back_is_told(board: Board) -> None:
    backend = FpgaBackend(str(board.port), wait=0.5)
    backend.open(CHIP, [core(0)])
    board.close()
    try:
        with pytest.raises(ToolError, match=rf"^{board.port}: no such port"):
            next(products(backend, np.random.default_rng(1)))
    finally:
        backend.close()
    board.terminal = BoardTerminal(board.config, board.port)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("file", "exists and is no link to a terminal, which it would be; name another file"),
        ("folder", "exists and is no link to a terminal"), ("link to a file", "exists and is no link to a terminal"),
        ("link in use", r"is a link to /dev/.*, which is in use; name another file, or remove it"),
        ("nowhere", "the folder '.*' does not exist"),
    ],
)
def test_a_name_that_somebody_else_has_is_no_link(kind: str, sentence: str, tmp_path: Path) -> None:
    link = tmp_path / "notes.txt"
    match kind:
        case "file":
            link.write_text("mine")
        case "folder":
            link.mkdir()
        case "link to a file":
            link.symlink_to("gone.txt")
        case "link in use":
            link.symlink_to("/dev/null")
        case _:
            link = tmp_path / "none" / "link"
    before = [(path, path.is_symlink(), path.is_file() and path.read_text()) for path in tmp_path.iterdir()]
    with pytest.raises(InputError, match=rf"^{link}: {sentence}"):
        BoardTerminal(board_config("hx8k-breakout", CHIP), link)
    assert [(path, path.is_symlink(), path.is_file() and path.read_text()) for path in tmp_path.iterdir()] == before


def test_a_link_that_an_ended_simulation_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "left").symlink_to("/dev/pts/987654")
    check_link(tmp_path / "left")
    (tmp_path / "ttys").symlink_to("/dev/ttys987654")
    check_link(tmp_path / "ttys")


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_only_its_own_link_is_removed(tmp_path: Path) -> None:
    pytest.importorskip("serial")
    board = Board(tmp_path / "board")
    board.port.unlink()
    board.port.write_text("mine")
    board.close()
    assert board.port.read_text() == "mine"
