"""The backend fpga of a network on tiles: a chip of tiles on a board, over its serial line."""

from collections.abc import Callable
from typing import TypeVar

from mho.fpga.backends.session import BAUD, BoardSession, SerialBackend
from mho.fpga.link.client import Progress
from mho.fpga.link.transport import BusFault, Transport
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.map import address_width
from mho.hw.config import Chip
from mho.hw.noc.config import MeshConfig
from mho.macro_models.errors import ToolError
from mho.sim.backend import Observed
from mho.sim.board.driver import BoardInfo, read_info
from mho.sim.board.tiles.backend import BoardTilesBackend
from mho.sim.board.tiles.host import TilesHost

_PATIENCE = 2_000
"""Requests over the line, of a millisecond and more each."""

_T = TypeVar("_T")


class TilesFpgaBackend(SerialBackend, BoardTilesBackend):
    """Runs the programs of a network's tiles on a board.

    After a reset of the board, or plugged in again, it is loaded once more and the batch is begun anew: results are
    those of an undisturbed run.

    Parameters
    ----------
    port, baud, progress, note, wait, transport
        As of :class:`mho.fpga.backends.core.FpgaBackend`; ``progress`` is told words that are loaded.
    """

    def __init__(
        self, port: str, *, baud: int = BAUD, progress: Progress | None = None,
        note: Callable[[str], None] | None = None, wait: float = 30.0, transport: Transport | None = None,
    ) -> None:
        super().__init__()
        self._session = BoardSession(port, baud, again=self._again, note=note, wait=wait, transport=transport)
        self._loading, self._chip, self._info = progress, None, None

    _chip: Chip | None
    _info: BoardInfo | None

    def _connect(self, chip: Chip, *, noise: bool) -> TilesConfig:
        del noise  # the board has it or not
        self._chip = chip
        self._info = self._session.persist(self._identify)
        self._session.tell_if_slow()
        return self._info.tiles(chip)

    def _identify(self) -> BoardInfo:
        assert self._chip is not None
        port = self._session.port
        try:
            info = read_info(self._session.client, port, 1 << address_width(MeshConfig.from_chip(self._chip)))
        except BusFault:
            mesh = self._chip.mesh
            raise ToolError(
                f"{port}: the board has not the {mesh.columns} x {mesh.rows} tiles of {self._chip.name}; build it for "
                "this chip with: mho fpga build BOARD --chip CHIP"
            ) from None
        info.check(self._chip, port)
        return info

    def _again(self) -> None:
        self._identify()

    def observed(self) -> Observed | None:
        """Clock of the board, as it says; nothing of it counts the cycles of programs."""
        return None if self._info is None else self._session.observed(self._info.clock_hz, None)

    def _host(self, cfg: TilesConfig) -> TilesHost:
        return TilesHost(self._session.client, cfg.parts, looks=1, patience=_PATIENCE)

    def _guard(self, action: Callable[[], _T]) -> _T:
        return self._session.persist(action)

    def close(self) -> None:
        """End the session and give the port back."""
        self._session.close()
        self._code = self._cfg = None
