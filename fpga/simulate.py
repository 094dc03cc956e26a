"""A simulated board: the Verilog of its top, its serial line at a pseudo-terminal."""

import os
import select
import tty
from pathlib import Path
from types import TracebackType

from fpga.link.simulated import PinsTransport
from fpga.top import board_top
from hw.board import BoardConfig
from macro_models.errors import ToolError
from sim.build.verilate import cached_simulator, hardware_hash, verilog_text

__all__ = ["BoardTerminal", "pins_simulator"]

_MAIN = Path(__file__).with_name("hdl") / "link_main.cpp"
_SPRAM = Path(__file__).parents[1] / "hw" / "emulator" / "vector" / "sb_spram256ka.v"

_SLICE = 20_000
"""Cycles between two looks at the terminal."""

_AFTER = 2_000_000
"""Cycles that go on after the last byte: more than any request takes."""


def pins_simulator(cfg: BoardConfig) -> Path:
    """Program that simulates the top of a board at its pins, for :class:`fpga.link.simulated.PinsTransport`.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    return cached_simulator(
        "pins", [repr(cfg), hardware_hash()], lambda: verilog_text(board_top(cfg), "board"),
        [_MAIN, *([_SPRAM] if cfg.memory == "spram" else [])], top="mho_board", cflags="-DMHO_RESET=rst",
    )


class BoardTerminal:
    """A pseudo-terminal with a simulated board behind it. Time passes for the board while there is something to do.

    Parameters
    ----------
    cfg
        The board.
    link
        A symbolic link to the terminal that is made, and removed by :meth:`close`.

    Attributes
    ----------
    path
        Name of the terminal.

    Raises
    ------
    ToolError
        If a tool is missing, the build fails, or the link cannot be made.
    """

    def __init__(self, cfg: BoardConfig, link: Path | None = None) -> None:
        self._line = PinsTransport(pins_simulator(cfg), cfg.uart)
        # The end of the board is kept open, so that one host after another can come.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._link = link
        self._left = 0
        if link is not None:
            try:
                link.unlink(missing_ok=True)
                link.symlink_to(self.path)
            except OSError as error:
                self._link = None
                self.close()
                raise ToolError(f"{link}: the link to the terminal cannot be made ({error.strerror})") from None

    def step(self, wait: float | None = None) -> None:
        """Pass on what has come, and let some time pass for the board.

        Parameters
        ----------
        wait
            Seconds to wait for bytes while the board has nothing to do; ``None``: until some come.
        """
        ready, _, _ = select.select([self._master], [], [], 0 if self._left > 0 else wait)
        if ready:
            self._line.write(os.read(self._master, 4096))
            self._left = _AFTER
        if self._left > 0:
            data = self._line.read(_SLICE / self._line.uart.clock_hz)
            if data:
                os.write(self._master, data)
            self._left = _AFTER if data else self._left - _SLICE

    def reset(self) -> None:
        """Reset the board, whatever it is doing."""
        self._line.reset_link()

    @property
    def seconds(self) -> float:
        """Time that has passed for the board."""
        return self._line.now()

    def close(self) -> None:
        """Pull the plug."""
        self._line.close()
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)
        self._master = self._slave = -1

    def __enter__(self) -> "BoardTerminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()
