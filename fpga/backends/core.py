"""The backend fpga: a core on a board, over its serial line."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.fpga.backends.session import BAUD, BoardSession, SerialBackend
from mho.fpga.link.client import LinkClient, Progress
from mho.fpga.link.transport import Transport
from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models import MacroModel, Masks
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import BackendResult, HostScheduled, Observed
from mho.sim.board.driver import BoardDriver, BoardInfo, read_info
from mho.sim.board.program import BoardProgrammer
from mho.sim.programming.cosim import check_engine
from mho.sim.programming.write_verify import ProgramRun

PIN_BOARD = "ulx3s-85f"
"""A board, and the preset of its chip, whose core programs the cells of an emulated macro behind its pins."""


class FpgaBackend(SerialBackend, HostScheduled):
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

    def __init__(
        self, port: str, *, baud: int = BAUD, progress: Progress | None = None,
        note: Callable[[str], None] | None = None, wait: float = 30.0, transport: Transport | None = None,
    ) -> None:
        self._progress = progress
        self._session = BoardSession(port, baud, again=self._again, note=note, wait=wait, transport=transport)
        self._chip: Chip | None = None
        self._info: BoardInfo | None = None
        self._driver: BoardDriver | None = None
        self._programmer: BoardProgrammer | None = None
        self._counted = 0

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
        client = self._session.client
        self._chip = chip
        self._driver = self._programmer = None
        self._info = self._session.persist(self._identify)
        self._session.tell_if_slow()
        self._driver = BoardDriver(
            client, self._info.board(chip), cores, progress=self._progress, guard=self._session.persist
        )

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`mho.sim.backend.Backend`.

        Raises
        ------
        ToolError
            If the board is lost and does not come back, or comes back as another one.
        """
        if self._driver is None:
            raise RuntimeError("The backend must be open.")
        result = self._driver.mvm(core, op, masks, x, op_id)
        self._counted += int(result.analog.sum())
        return result

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells by the core's engine on the board; see :class:`mho.sim.programming.write_verify.Programmer`.

        Raises
        ------
        InputError
            If the core on the board does not program its cells.
        ToolError
            If the board is lost and does not come back, or contradicts what was seen at the pins of its core.
        """
        if self._chip is None or self._info is None or self._driver is None:
            raise RuntimeError("The backend must be open.")
        if self._programmer is None:
            self._programmer = self._open_programmer(self._session.client, self._chip, self._info)
        self._driver.forget()
        return self._programmer.program(core, array, targets, skip, parameters)

    def _open_programmer(self, client: LinkClient, chip: Chip, info: BoardInfo) -> BoardProgrammer:
        check_engine(chip, "on a board")
        if not info.programs:
            raise InputError(
                f"{self._session.port}: the board emulates cells that do not answer to pulses, so none can be "
                f"programmed on it; build one whose cells do, such as the preset {PIN_BOARD}"
            )
        return BoardProgrammer(client, info.board(chip), progress=self._progress, guard=self._session.persist)

    def observed(self) -> Observed | None:
        """Clock of the board, as it says, and the cycles of its core's own counter of operations at the macro."""
        return None if self._info is None else self._session.observed(self._info.clock_hz, self._counted)

    def close(self) -> None:
        """End the session and give the port back."""
        self._session.close()
        self._info = self._driver = self._programmer = None

    def _identify(self) -> BoardInfo:
        assert self._chip is not None
        info = read_info(self._session.client, self._session.port)
        info.check(self._chip, self._session.port)
        return info

    def _again(self) -> None:
        if self._driver is not None:
            self._identify()
            self._driver.forget()
        if self._programmer is not None:
            self._programmer.forget()
