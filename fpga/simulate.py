"""A simulated board: the Verilog of its top, its serial line at a pseudo-terminal."""

import os
import select
import tty
from pathlib import Path
from types import TracebackType

from mho.fpga.link.simulated import PinsTransport
from mho.hw.board.top import AnyConfig, BoardTop
from mho.macro_models.errors import InputError
from mho.macro_models.output import cannot_write
from mho.sim.build.bench import cached_bench
from mho.sim.build.verilate import hardware_hash, verilog_text

_SPRAM = Path(__file__).parents[1] / "hw" / "emulator" / "sb_spram256ka.v"


_SLICE = 20_000
"""Cycles between two looks at the terminal."""

_AFTER = 2_000_000
"""Cycles that go on after the last byte: more than any request takes."""


def pins_simulator(cfg: AnyConfig) -> Path:
    """Folder of the simulator of the top of a board at its pins, for :class:`mho.fpga.link.simulated.PinsTransport`."""
    return cached_bench(
        "pins", [repr(cfg), hardware_hash()], lambda: verilog_text(BoardTop(cfg), "board"), "mho_board",
        [_SPRAM] if cfg.memory == "spram" else [],
    )


def check_link(path: Path) -> None:
    """Refuse a name for the link to a terminal that somebody else has: all but a link that an ended simulation left.

    Raises InputError if there is such a file, or no folder for it.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {str(path.parent)!r} does not exist")
    if os.path.lexists(path) and not (path.is_symlink() and path.readlink().is_relative_to("/dev")):
        raise InputError(f"{path}: exists and is no link to a terminal, which it would be; name another file")
    if path.exists():
        raise InputError(f"{path}: is a link to {path.readlink()}, which is in use; name another file, or remove it")


class BoardTerminal:
    """A pseudo-terminal with a simulated board behind it. Time passes for the board while there is something to do.

    Raises InputError if something else has the name of the link. Raises ToolError if a tool is missing, the build
    fails, or the link cannot be made.

    Parameters
    ----------
    link
        A symbolic link to the terminal that is made, and removed by :meth:`close`.

    Attributes
    ----------
    path
        Name of the terminal.
    """

    def __init__(self, cfg: AnyConfig, link: Path | None = None) -> None:
        if link is not None:
            check_link(link)
        self._line = PinsTransport(pins_simulator(cfg), cfg.uart)
        # The end of the board is kept open, so that one host after another can come.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._link: Path | None = None
        self._left = 0
        if link is not None:
            try:
                if link.is_symlink():
                    link.unlink()
                link.symlink_to(self.path)
            except OSError as error:
                self.close()
                raise cannot_write(link, error) from None
            self._link = link

    def step(self, wait: float | None = None) -> int:
        """Pass on what has come, and let some time pass for the board.

        Parameters
        ----------
        wait
            Seconds to wait for bytes while the board has nothing to do; ``None``: until some come.

        Returns
        -------
        int
            Bytes that have come.
        """
        ready, _, _ = select.select([self._master], [], [], 0 if self._left > 0 else wait)
        data_in = os.read(self._master, 4096) if ready else b""
        if data_in:
            self._line.write(data_in)
            self._left = _AFTER
        if self._left > 0:
            data = self._line.read(_SLICE / self._line.uart.clock_hz)
            if data:
                os.write(self._master, data)
            self._left = _AFTER if data else self._left - _SLICE
        return len(data_in)

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
        if self._link is not None and self._link.is_symlink() and str(self._link.readlink()) == self.path:
            self._link.unlink()
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)
        self._master = self._slave = -1

    def __enter__(self) -> "BoardTerminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()
