"""The backend fpga: a core, or the tiles of a network, on a board at the end of its serial line."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.fpga.link.client import LinkClient, Progress
from mho.fpga.link.transport import BusFault, LinkError, SerialTransport, Transport
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.map import address_width
from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.noc.config import MeshConfig
from mho.macro_models import MacroModel, Masks
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, ToolError, argument
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import BackendResult, HostScheduled, Observed, opened
from mho.sim.board.driver import BoardDriver, BoardInfo, read_info
from mho.sim.board.program import BoardProgrammer
from mho.sim.board.tiles.backend import BoardTilesBackend
from mho.sim.board.tiles.host import TilesHost
from mho.sim.programming.cosim import check_engine
from mho.sim.programming.write_verify import ProgramRun

if TYPE_CHECKING:
    from mho.sim.backend import Note

BAUD = 3_000_000
"""Of the boards, unless they are built otherwise."""

_WAIT_S = 0.5
"""After which a request is sent again: longer than a board, also a simulated one, usually takes."""

_ATTEMPTS = 5

_SLOW_S = 0.2
"""Time to an answer from which on a user is told."""

_T = TypeVar("_T")


def connect_board(port: str, baud: int = BAUD, *, transport: Transport | None = None) -> LinkClient:
    """A session with a board.

    Raises InputError or ToolError if the port cannot be opened, or no board answers.
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


class SerialBackend:
    """A session with a board that may be lost and found again: what the backends at its serial line have in common.

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

    Attributes
    ----------
    reloads
        Times that the board was lost and found again.
    """

    name = "fpga"
    reports = ("progress", "note")
    _counted: int | None = None
    """Cycles of operations at the macro, where the board counts them."""

    def __init__(
        self, port: str, *, baud: int = BAUD, progress: Progress | None = None, note: "Note | None" = None,
        wait: float = 30.0, transport: Transport | None = None,
    ) -> None:
        super().__init__()
        self._port, self._baud, self._note, self._wait, self._transport = port, baud, note, wait, transport
        self._loading, self.reloads = progress, 0
        self._client: LinkClient | None = None
        self._chip: Chip | None = None
        self._info: BoardInfo | None = None

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Refuse to do without a port; see :meth:`mho.sim.backend.Backend.check`."""
        if not options.get("port"):
            raise InputError(
                f"the backend fpga needs {argument('port')}, the serial port of the board, as in /dev/ttyUSB1"
            )

    def observed(self) -> Observed | None:
        """Clock of the board, as it says, and the cycles that it counted itself."""
        if self._info is None:
            return None
        return Observed(
            clock_MHz=self._info.clock_hz / 1e6, cycles=self._counted, port=self._port, baud=self._baud,
            reloads=self.reloads,
        )

    def close(self) -> None:
        """End the session and give the port back."""
        if self._client is not None:
            self._client.close()
        self._client = self._info = None

    @property
    def _line(self) -> LinkClient:
        """To the board, opened when it is first asked for."""
        if self._client is None:
            self._client = connect_board(self._port, self._baud, transport=self._transport)
        return self._client

    def _find(self, chip: Chip) -> BoardInfo:
        """What the board for ``chip`` says of itself; says so where an answer takes long."""
        self._chip = chip
        self._info = self._persist(self._identify)
        turn_s = self._line.pace.turn_s
        if self._note is not None and turn_s > _SLOW_S:
            self._note(f"{self._port}: an answer takes {turn_s:.1f} s, and every request waits for the one before")
        return self._info

    def _identify(self) -> BoardInfo:
        """The same, once more; refused where it is another board."""
        raise NotImplementedError

    def _again(self) -> None:
        """The board was lost and is there again: before what was going on is begun anew."""
        self._identify()

    def _persist(self, action: Callable[[], _T]) -> _T:
        """What ``action`` gives, however often the board has to be loaded again for it."""
        for attempt in range(_ATTEMPTS):
            if attempt and self._client is not None:
                self._client.recover(self._wait)  # what does not come back in that time is lost
            try:
                if attempt:
                    self._again()
                    self.reloads += 1
                return action()
            except BusFault:
                raise
            except LinkError as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                if self._note is not None:
                    self._note(f"{error}; it will be loaded again")
        raise AssertionError


PIN_BOARD = "ulx3s-85f"
"""A board, and the preset of its chip, whose core programs the cells of an emulated macro behind its pins."""


class FpgaBackend(SerialBackend, HostScheduled):
    """Runs operations on a board, and programs its cells.

    What a board does is a function of what is sent, so after a reset, or plugged in again, it is loaded once more and
    the last vectors are sent again, or the last pass of write-verify done again from the cells before it: codes, pulses
    and cells are those of an undisturbed run. Parameters are those of :class:`SerialBackend`.
    """

    _counted = 0
    _driver: BoardDriver | None = None
    _programmer: BoardProgrammer | None = None

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores; they are loaded when they are needed.

        Raises InputError if the cores draw noise, which the emulator does not have. Raises ToolError if there is no
        board, or it was built from another chip description.
        """
        self.rows = chip.macro_config().cell_map.rows
        self._driver = self._programmer = None
        board = self._find(chip).board(chip)
        self._driver = BoardDriver(self._line, board, cores, progress=self._loading, guard=self._persist)

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`mho.sim.backend.Backend`.

        Raises ToolError if the board is lost and does not come back, or comes back as another one.
        """
        result = opened(self._driver).mvm(core, op, masks, x, op_id)
        self._counted = (self._counted or 0) + int(result.analog.sum())
        return result

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells by the core's engine on the board; see :class:`mho.sim.programming.write_verify.Programmer`.

        Raises InputError if the core on the board does not program its cells. Raises ToolError if the board is lost and
        does not come back, or contradicts what was seen at the pins of its core.
        """
        driver = opened(self._driver)
        if self._programmer is None:
            self._programmer = self._open_programmer(self._line, opened(self._chip), opened(self._info))
        driver.forget()
        return self._programmer.program(core, array, targets, skip, parameters)

    def _open_programmer(self, client: LinkClient, chip: Chip, info: BoardInfo) -> BoardProgrammer:
        check_engine(chip, "on a board")
        if not info.programs:
            raise InputError(
                f"{self._port}: the board emulates cells that do not answer to pulses, so none can be "
                f"programmed on it; build one whose cells do, such as the preset {PIN_BOARD}"
            )
        return BoardProgrammer(client, info.board(chip), progress=self._loading, guard=self._persist)

    def close(self) -> None:
        """End the session and give the port back."""
        super().close()
        self._driver = self._programmer = None

    def _identify(self) -> BoardInfo:
        assert self._chip is not None
        info = read_info(self._line, self._port)
        info.check(self._chip, self._port)
        return info

    def _again(self) -> None:
        if self._driver is not None:
            self._identify()
            self._driver.forget()
        if self._programmer is not None:
            self._programmer.forget()


_PATIENCE = 2_000
"""Requests over the line, of a millisecond and more each."""


class TilesFpgaBackend(SerialBackend, BoardTilesBackend):
    """Runs the programs of a network's tiles on a board.

    After a reset of the board, or plugged in again, it is loaded once more and the batch is begun anew: results are
    those of an undisturbed run. Parameters are those of :class:`SerialBackend`. Nothing of a board counts the
    cycles of programs.
    """

    def _connect(self, chip: Chip, *, noise: bool) -> TilesConfig:
        del noise  # the board has it or not
        return self._find(chip).tiles(chip)

    def _identify(self) -> BoardInfo:
        assert self._chip is not None
        port = self._port
        try:
            info = read_info(self._line, port, 1 << address_width(MeshConfig.from_chip(self._chip)))
        except BusFault:
            mesh = self._chip.mesh
            raise ToolError(
                f"{port}: the board has not the {mesh.columns} x {mesh.rows} tiles of {self._chip.name}; build it for "
                "this chip with: mho fpga build BOARD --chip CHIP"
            ) from None
        info.check(self._chip, port)
        return info

    def _host(self, cfg: TilesConfig) -> TilesHost:
        return TilesHost(self._line, cfg.parts, looks=1, patience=_PATIENCE)

    def _guard(self, action: Callable[[], _T]) -> _T:
        return self._persist(action)

    def close(self) -> None:
        """End the session and give the port back."""
        super().close()
        self._code = self._cfg = None
