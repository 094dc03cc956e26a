"""What a host does to a board: find out what it is, load a core, run operations."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.board.config import BOARD_BASE, BOARD_MAGIC, BOARD_VERSION, CORE_BASE, BoardConfig, load_base
from mho.hw.board.load_port import load_offset
from mho.hw.board.tiles import TilesConfig
from mho.hw.config import Chip
from mho.hw.core.layout import OpLayout, pack
from mho.hw.emulator.config import LoadWord
from mho.hw.emulator.kind import CoreLoads
from mho.hw.host.core.map import MAP_VERSION
from mho.hw.host.link.tasks import Poll, Read, Task, Write
from mho.hw.host.registers import register_word
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import BackendResult
from mho.sim.board.bus import BoardBus
from mho.sim.core.words import MaskImage, input_words, output_codes

_CHUNK = 64
"""Vectors in one go: what is done again after a board was lost."""

_T = TypeVar("_T")


def once(action: Callable[[], _T]) -> _T:
    return action()


_HASH = 0x020


@dataclass(frozen=True, kw_only=True)
class BoardInfo:
    """What a board says of itself."""

    version: int
    core_version: int
    programs: bool
    serial: bool
    g_bits: int
    slots: int
    lanes: int
    lines: int
    noise: bool
    clock_hz: int
    sha256: str
    """Hash of the chip description that it was made from."""
    columns: int = 1
    rows: int = 1
    """Of its tiles; 1 or 0 of a board with one core."""
    tiled: bool = False
    """Whether it has tiles, of which one may be all."""

    def check(self, chip: Chip, where: str) -> None:
        """Refuse a board that was not made from ``chip``.

        Raises ToolError, naming ``where`` the board is, and both hashes.
        """
        if self.sha256 != chip.sha256:
            raise ToolError(
                f"{where}: the board was built for another chip (description {self.sha256[:8]}) than the network was "
                f"compiled for ({chip.name}, {chip.sha256[:8]}); compile the network for the board's chip, or build "
                "the board for this one with: mho fpga build BOARD --chip CHIP"
            )

    def board(self, chip: Chip) -> BoardConfig:
        """The board, as far as a host needs to know it."""
        return BoardConfig(
            chip=chip, programs=self.programs, serial=self.serial, lanes=self.lanes, slots=self.slots,
            noise=self.noise,
        )

    def tiles(self, chip: Chip) -> TilesConfig:
        """The same of a board with tiles."""
        return TilesConfig(chip=chip, lanes=self.lanes, slots=self.slots, noise=self.noise)


def read_info(bus: BoardBus, where: str, base: int = BOARD_BASE) -> BoardInfo:
    """Ask a board what it is, whose registers begin at ``base``.

    Raises ToolError if it is no board of this kind, or of another version.
    """
    words, digest = bus.execute([Read(base, 4), Read(base + _HASH, 8)])
    identity, emulator, geometry, clock = (int(word) for word in words)
    if identity & 0xFFFF != BOARD_MAGIC:
        raise ToolError(f"{where}: what answers holds no core (its identity is {identity:#010x})")
    version, core_version = identity >> 16 & 0xFF, identity >> 24
    if (version, core_version) != (BOARD_VERSION, MAP_VERSION):
        raise ToolError(
            f"{where}: the board was built with version {version}.{core_version} of its registers, not "
            f"{BOARD_VERSION}.{MAP_VERSION}; build and load it again with: mho fpga build, mho fpga load"
        )
    return BoardInfo(
        version=version, core_version=core_version, programs=bool(emulator & 1), serial=bool(emulator & 2),
        g_bits=emulator >> 2 & 0x3F, slots=emulator >> 8 & 0xFF, lanes=emulator >> 16, lines=geometry & 0xFFFF,
        noise=bool(geometry >> 16 & 1),
        columns=geometry >> 17 & 31, rows=geometry >> 22 & 31, tiled=base != BOARD_BASE, clock_hz=clock,
        sha256="".join(f"{int(word):08x}" for word in digest),
    )


_TILES_BASES = range(22, 30)
"""Where the registers of a board with tiles may be: exponents of two, from one tile to a mesh of 16 x 16."""


def find_info(bus: BoardBus, where: str) -> BoardInfo:
    """As :func:`read_info`, of a board with one core or with tiles, whatever their number.

    Raises ToolError as there.
    """
    try:
        return read_info(bus, where)
    except ToolError as error:
        for exponent in _TILES_BASES:
            with suppress(ToolError):
                return read_info(bus, where, 1 << exponent)
        raise error from None


class BoardDriver:
    """Runs operations of one programmed core after the other on a board, loading what they need.

    Raises InputError if a core is noisy in a way that the emulator does not have; the sentence says how to switch that
    off.

    Parameters
    ----------
    bus
        What gets at the board.
    board
        The board, as far as a host needs to know it.
    models
        The programmed cores. There is one core on the board: it is loaded anew where another is wanted.
    progress
        Called with (words loaded, words) while cells are loaded.
    guard
        Calls what is idempotent: again, after :meth:`forget`, where it failed and the board can be had back.
    """

    def __init__(
        self, bus: BoardBus, board: BoardConfig, models: Sequence[MacroModel],
        progress: Callable[[int, int], None] | None = None, guard: Callable[[Callable[[], Any]], Any] = once,
    ) -> None:
        self.bus, self.cfg, self.kind, self.progress = bus, board.emulator, board.kind, progress
        self.models = list(models)
        for model in self.models:
            self.kind.check(self.cfg, model)
        self._guard = guard
        self.map = board.blocks.registers
        self._cells: dict[int, NDArray[np.uint32]] = {}
        self.forget()

    def forget(self) -> None:
        """Take it that the board knows nothing: it was reset, or is another one."""
        self._loaded: int | None = None
        self._masks = MaskImage(self.cfg.core)
        self._loaded_parts: CoreLoads | None = None
        self._window = np.zeros(0, dtype=np.uint32)
        self._analog = 0

    def load(self, core: int) -> None:
        """Put a core on the board, unless it is there."""
        if self._loaded == core:
            return
        self.forget()
        parts = CoreLoads(self.kind, self.cfg, self.models[core])
        if core not in self._cells:
            self._cells[core] = parts.cells()
        control, loads = self._at("control"), self._loads(parts.first())
        self.bus.execute([Write(control, register_word(self.map, "control", soft_reset=1)), *loads])
        self.bus.execute([Write(load_base(self.cfg), self._cells[core])], progress=self.progress)
        low = self.bus.execute([Read(self._at("cycles_analog_low"))])[0]
        self._analog = int(low[0])
        self._loaded_parts = parts
        # What the input window holds is not known.
        self._window = np.full(self.map["input"].words, 0, dtype=np.uint32)
        self.bus.execute([Write(self._at("input"), self._window)])
        self._loaded = core

    @property
    def _parts(self) -> CoreLoads:
        """Of the core that is loaded."""
        assert self._loaded_parts is not None
        return self._loaded_parts

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch, as in :meth:`mho.sim.backend.Backend.mvm`.

        Raises ToolError if the board failed.
        """
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), len(x))
        chunks = (slice(first, first + _CHUNK) for first in range(0, len(x), _CHUNK))
        parts = [self._guard(partial(self._chunk, core, op, masks, x[chunk], ids[chunk])) for chunk in chunks]
        codes = np.concatenate([part[0] for part in parts])
        analog = np.concatenate([part[1] for part in parts])
        steps = self.kind.steps(self.cfg, op, analog)
        cycles = self.cfg.core.whole_cycles(op, analog)
        return BackendResult(codes=codes, steps=steps[:, None], cycles=cycles, analog=analog)

    def _chunk(
        self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Codes and analog cycles of at most :data:`_CHUNK` vectors."""
        self.load(core)
        first, count = self._enabled_words(op, masks)
        begin = self._setup(op, masks)
        status, analog, output = self._at("status"), self._at("cycles_analog_low"), self._at("output") + 4 * first
        start = Write(self._at("control"), register_word(self.map, "control", start=1))
        clear = Write(status, register_word(self.map, "status", done=1))
        done = Poll(status, register_word(self.map, "status", done=1))
        repeated = [
            [*self._input(words), *self._number(int(number)), start, done, Read(analog), Read(output, count), clear]
            for words, number in zip(input_words(x).reshape(len(x), -1), op_id, strict=True)
        ]
        ends = [Read(status), Read(BOARD_BASE + 0x010)]
        answers = self.bus.execute([*begin, *(task for tasks in repeated for task in tasks), *ends])
        failed = register_word(self.map, "status", error=1, overrun=1)
        if int(answers[-2][0]) & failed or int(answers[-1][0]):
            raise ToolError("the board refused an operation, or had no table for it")
        read = [answer for answer in answers[len(begin) : -2] if len(answer)]
        words = np.zeros((len(x), self.cfg.core.output_words), dtype=np.uint32)
        words[:, first : first + count] = np.stack(read[2::3])
        counters = np.array([self._analog, *(int(low[0]) for low in read[1::3])], dtype=np.int64)
        self._analog = int(counters[-1])
        return output_codes(words, self.cfg.core.outputs), np.diff(counters) & 0xFFFFFFFF

    def _enabled_words(self, op: MvmOperation, masks: Masks) -> tuple[int, int]:
        """First word of the output that has a line that is converted, and how many there are to the last one."""
        enabled = masks.enabled(op)
        lines = np.flatnonzero(enabled) * self.cfg.core.outputs // len(enabled)  # of which an output may have several
        if not len(lines):
            return 0, 1
        first = int(lines[0]) // 2
        return first, int(lines[-1]) // 2 - first + 1

    def _setup(self, op: MvmOperation, masks: Masks) -> list[Task]:
        """Masks, table and registers of an operation."""
        writes = self._masks.update(op, masks)
        base = self._at("masks")
        packed, low = pack(op, 0), OpLayout()["step_code"].offset
        registers = [packed & (1 << low) - 1, op.step_code]
        return [
            *write_runs((base + 4 * int(address), int(data)) for address, data in writes),
            *self._loads(self._parts.before(op, masks)),
            Write(self._at("operation"), registers),
        ]

    def _input(self, words: NDArray[np.uint32]) -> list[Task]:
        """The words of the input window that differ from what it holds."""
        present = self._window[: len(words)]
        changed = np.flatnonzero(present != words)
        if not len(changed):
            return []
        first, end = int(changed[0]), int(changed[-1]) + 1
        part = words[first:end].copy()
        self._window[first:end] = part
        return [Write(self._at("input") + 4 * first, part)]

    def _number(self, op_id: int) -> list[Task]:
        """The number of an operation, where something depends on it."""
        if not self.cfg.noise:
            return []
        return [Write(self._at("op_id_low"), [op_id & 0xFFFFFFFF, op_id >> 32])]

    def _loads(self, loads: Iterable[LoadWord]) -> list[Task]:
        pairs: list[tuple[int, int]] = []
        for load in loads:
            address = load_base(self.cfg) + load_offset(self.cfg, load.region, load.index)
            pairs.append((address, load.data))
        return write_runs(pairs)

    def _at(self, name: str) -> int:
        return CORE_BASE + self.map[name].address


def write_runs(pairs: Iterable[tuple[int, int]]) -> list[Task]:
    """Writes of (address, word), one for each run of addresses."""
    runs: list[tuple[int, list[int]]] = []
    for address, word in pairs:
        if runs and address == runs[-1][0] + 4 * len(runs[-1][1]):
            runs[-1][1].append(word)
        else:
            runs.append((address, [word]))
    return [Write(address, words) for address, words in runs]
