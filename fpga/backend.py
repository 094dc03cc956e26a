"""The backend fpga: a core on a board, over its serial line."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpga.link.client import LinkClient, Progress
from fpga.link.errors import BusFault, LinkError
from fpga.link.transport import SerialTransport, Transport
from hw.config import Chip
from hw.core.write_verify import WriteVerifyParameters
from macro_models import MacroModel, Masks
from macro_models.cells.pulses import PulseArray
from macro_models.errors import InputError, argument
from macro_models.exact.operation import MvmOperation
from sim.backend import BackendResult, HostScheduled
from sim.board.driver import BoardDriver, BoardInfo, read_info
from sim.board.program import BoardProgrammer
from sim.cells.cosim import check_engine
from sim.cells.write_verify import ProgramRun

__all__ = ["BAUD", "PIN_BOARD", "FpgaBackend", "connect_board"]

BAUD = 3_000_000
"""Of the boards, unless they are built otherwise."""

PIN_BOARD = "ulx3s-85f"
"""A board, and the preset of its chip, whose core programs the cells of an emulated macro behind its pins."""

_WAIT_S = 0.5
"""After which a request is sent again: longer than a board, also a simulated one, usually takes."""

_ATTEMPTS = 5

_SLOW_S = 0.2
"""Time to an answer from which on a user is told."""

_T = TypeVar("_T")


def connect_board(port: str, baud: int = BAUD, *, transport: Transport | None = None) -> LinkClient:
    """A session with a board.

    Raises
    ------
    InputError, ToolError
        If the port cannot be opened, or no board answers.
    """
    if not port:
        raise InputError("port must be the name of a serial port such as /dev/ttyUSB1, not ''")
    client = LinkClient(SerialTransport(port, baud) if transport is None else transport, wait=_WAIT_S)
    try:
        client.open()
    except BaseException:
        client.close()
        raise
    return client


class FpgaBackend(HostScheduled):
    """Runs operations on a board, and programs its cells.

    What a board does is a function of what is sent, so after a reset, or plugged in again, it is loaded once more and
    the last vectors are sent again, or the last pass of write-verify done again from the cells before it: codes, pulses
    and cells are those of an undisturbed run.

    Parameters
    ----------
    port, baud
        Serial port, and its rate.
    progress
        Called with (words, words in all) while cells are loaded, with (cells, cells in all) while they are programmed.
    note
        Called with a sentence when a board was lost and is waited for.
    wait
        Seconds to wait for a lost board.
    transport
        A line in place of the serial port.
    """

    name = "fpga"
    options = ("port", "baud")
    reports = ("progress", "note")

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Refuse to do without a port; see :meth:`sim.backend.Backend.check`."""
        if not options.get("port"):
            raise InputError(
                f"the backend fpga needs {argument('port')}, the serial port of the board, as in /dev/ttyUSB1"
            )

    def __init__(
        self, port: str, *, baud: int = BAUD, progress: Progress | None = None,
        note: Callable[[str], None] | None = None, wait: float = 30.0, transport: Transport | None = None,
    ) -> None:
        self._port, self._baud, self._progress, self._note = port, baud, progress, note
        self._wait, self._transport = wait, transport
        self._chip: Chip | None = None
        self._client: LinkClient | None = None
        self._info: BoardInfo | None = None
        self._driver: BoardDriver | None = None
        self._programmer: BoardProgrammer | None = None
        self.reloads = 0
        """Times that a board was lost and found again."""

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores; they are loaded when they are needed.

        Raises
        ------
        InputError
            If the cores draw noise, which the emulator does not have.
        ToolError
            If there is no board, or it was built from another chip description.
        """
        self.rows = chip.macro_config().cell_map.rows
        if self._client is None:
            self._client = connect_board(self._port, self._baud, transport=self._transport)
        self._chip = chip
        self._driver = self._programmer = None
        self._info = self._persist(self._identify)
        turn_s = self._client.pace.turn_s
        if self._note is not None and turn_s > _SLOW_S:
            self._note(f"{self._port}: an answer takes {turn_s:.1f} s, and every request waits for the one before")
        self._driver = BoardDriver(
            self._client, self._info.board(chip).emulator, cores, progress=self._progress, guard=self._persist
        )

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`sim.backend.Backend`.

        Raises
        ------
        ToolError
            If the board is lost and does not come back, or comes back as another one.
        """
        if self._driver is None:
            raise RuntimeError("The backend must be open.")
        return self._driver.mvm(core, op, masks, x, op_id)

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells by the engine of the core on the board; see :class:`sim.cells.write_verify.Programmer`.

        Raises
        ------
        InputError
            If the core on the board does not program its cells.
        ToolError
            If the board is lost and does not come back, or contradicts what was seen at the pins of its core.
        """
        if self._client is None or self._chip is None or self._info is None or self._driver is None:
            raise RuntimeError("The backend must be open.")
        if self._programmer is None:
            self._programmer = self._open_programmer(self._client, self._chip, self._info)
        self._driver.forget()
        return self._programmer.program(core, array, targets, skip, parameters)

    def _open_programmer(self, client: LinkClient, chip: Chip, info: BoardInfo) -> BoardProgrammer:
        check_engine(chip, "on a board")
        if info.level != "pin":
            raise InputError(
                f"{self._port}: the board emulates all below the {info.level} level, so no cells can be programmed on "
                f"it; build one at the level of the pins, such as the preset {PIN_BOARD}"
            )
        return BoardProgrammer(client, info.board(chip), progress=self._progress, guard=self._persist)

    def close(self) -> None:
        """End the session and give the port back."""
        if self._client is not None:
            self._client.close()
        self._client = self._info = self._driver = self._programmer = None

    def _identify(self) -> BoardInfo:
        assert self._client is not None
        assert self._chip is not None
        info = read_info(self._client, self._port)
        info.check(self._chip, self._port)
        return info

    def _persist(self, action: Callable[[], _T]) -> _T:
        """What ``action`` gives, however often the board has to be loaded again for it."""
        for attempt in range(_ATTEMPTS):
            if attempt and self._client is not None:
                self._client.recover(self._wait)  # what does not come back in that time is lost
            try:
                if attempt:
                    self._again()
                return action()
            except BusFault:
                raise
            except LinkError as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                if self._note is not None:
                    self._note(f"{error}; it will be loaded again")
        raise AssertionError

    def _again(self) -> None:
        if self._driver is not None:
            self._identify()
            self._driver.forget()
        if self._programmer is not None:
            self._programmer.forget()
        self.reloads += 1
