"""What is loaded into an emulated core so that it behaves like one programmed core."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import CELLS, LINES, NOISE, NOISE_KEY, NOISE_STEP, PULSES, TABLES, TAGS, TagLayout
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import Direction, Masks, MvmOperation
from mho.macro_models.integer.shift_register import ShiftRegister

__all__ = [
    "LineTable", "LoadWord", "ProgrammedCore", "TableCache", "cell_loads", "check_core",
    "line_table", "noise_loads", "programmed_core", "table_loads",
]


@runtime_checkable
class ProgrammedCore(Protocol):
    """What is needed of a programmed core."""

    @property
    def config(self) -> Any:
        """Has ``lines`` and ``g_bits``."""
        ...

    @property
    def cells(self) -> NDArray[np.integer]:
        """Codes of the cells, ``[bit line, source line]``."""
        ...

    @property
    def wires(self) -> Any:
        """Has ``ideal``."""
        ...

    @property
    def neuron(self) -> Any:
        """None if it is ideal."""
        ...

    @property
    def output_noise_V(self) -> float:
        """Noise of the converters, in V."""
        ...

    @property
    def traps(self) -> Any:
        """Traps of single cells; None without any."""
        ...

    def read_variances(self) -> tuple[NDArray[np.int64] | None, float]:
        """Of the cells; None without read noise."""
        ...

    @property
    def register(self) -> ShiftRegister | None:
        """What makes read noise, where it is a shift register."""
        ...

    def key(self, backward: bool, wl: NDArray[np.bool_]) -> Any:
        """Has the odd offsets of the lines as ``offset``."""
        ...

    def steps(self, key: Any, step_code: int) -> Any:
        """Has the even steps of the lines as ``pos`` and ``neg``."""
        ...


@dataclass(frozen=True)
class LoadWord:
    """A word of the load port, see :class:`~mho.hw.emulator.layout.LoadLayout`."""

    region: int
    index: int
    data: int

    def payload(self) -> dict[str, int]:
        """As the payload of the stream."""
        return {"region": self.region, "index": self.index, "data": self.data}


@dataclass(frozen=True, eq=False)
class LineTable:
    """Offsets and steps of all lines for one direction, word-line mask and step code, in halves."""

    offset: NDArray[np.int64]
    """``(o - 1) / 2`` of the odd offsets o, of shape (lines,)."""
    pos: NDArray[np.int64]
    """Half of the steps from a positive charge, at least 1, of shape (lines,)."""
    neg: NDArray[np.int64]
    """The same from a negative charge."""

    @classmethod
    def of(
        cls, cfg: EmulatorConfig, offset: NDArray[np.integer], pos: NDArray[np.integer], neg: NDArray[np.integer]
    ) -> "LineTable":
        """From odd offsets and even steps. A step beyond every charge is limited, which changes no code.

        Raises
        ------
        InputError
            If an offset exceeds the read voltage, which is more than the emulator has bits for.
        """
        half = (np.asarray(offset, dtype=np.int64) - 1) // 2
        limit = cfg.lines * (2**cfg.g_bits - 1)
        if np.abs(half).max(initial=0) > limit:
            raise InputError(f"offsets of the converters must be within {limit} codes, not {np.abs(half).max()}")
        top = 2**cfg.step_bits - 1
        steps = (np.minimum(np.asarray(step, dtype=np.int64) // 2, top) for step in (pos, neg))
        return cls(half, *steps)


def programmed_core(model: object) -> ProgrammedCore:
    """``model`` as the emulator sees it.

    Raises
    ------
    InputError
        If it is of a kind that the emulator does not know.
    """
    if not isinstance(model, ProgrammedCore):
        kind = getattr(getattr(model, "config", None), "kind", type(model).__name__)
        raise InputError(f"the emulator has no cores of kind {kind}, which run on the backends functional and cosim")
    return model


def check_core(cfg: EmulatorConfig, model: ProgrammedCore) -> None:
    """Whether the emulator gives the codes of a programmed core.

    Raises
    ------
    InputError
        If it has other lines or wider cells, noise that is drawn at every conversion, resistive wires, or a neuron that
        is not ideal; the sentence says how to get a core without.
    """
    config = model.config
    if config.lines != cfg.lines or config.g_bits > cfg.g_bits:
        raise InputError(
            f"the emulator holds {cfg.lines} lines of {cfg.g_bits} bits a cell, not {config.lines} lines of "
            f"{config.g_bits} bits (core.corelet, core.g_bits)"
        )
    if model.read_variances()[0] is not None or model.traps is not None:
        raise InputError(
            f"the emulator has no read noise of cells: leave that cause out ({argument('without')} read-noise), or "
            f"take the noise of a shift register ({argument('device')} lfsr)"
        )
    if model.register is not None and not cfg.noise:
        raise InputError(
            "the emulator was built without a shift register for read noise: leave that cause out "
            f"({argument('without')} read-noise)"
        )
    if model.register is not None and config.g_bits != cfg.g_bits:
        raise InputError(f"cells must have {cfg.g_bits} bits where there is read noise, not {config.g_bits}")
    if model.output_noise_V > 0.0:
        raise InputError(
            f"the emulator has no noise of converters: leave that cause out ({argument('without')} adc), or set "
            "sigma_output_mV to 0"
        )
    if not model.wires.ideal:
        raise InputError(f"the emulator has perfect wires: leave that cause out ({argument('without')} wire)")
    if model.neuron is not None:
        raise InputError(
            f"the emulator has ideal amplifiers: leave that cause out ({argument('without')} adc), or set [neuron] to "
            "its defaults"
        )


def line_table(cfg: EmulatorConfig, model: ProgrammedCore, op: MvmOperation, masks: Masks) -> LineTable:
    """Offsets and steps that an operation needs."""
    key = model.key(op.direction is Direction.BACKWARD, masks.word_lines(op))
    steps = model.steps(key, op.step_code)
    return LineTable.of(cfg, key.offset, steps.pos, steps.neg)


def cell_loads(cfg: EmulatorConfig, cells: NDArray[np.integer]) -> list[LoadWord]:
    """Words that load the cells ``[bit line, source line]``, of shape (lines, lines).

    Raises
    ------
    InputError
        If the shape or a code does not fit.
    """
    cells = np.asarray(cells)
    if cells.shape != (cfg.lines, cfg.lines) or cells.min() < 0 or cells.max() >= 2**cfg.g_bits:
        raise InputError(f"cells must be {cfg.lines} x {cfg.lines} codes of {cfg.g_bits} bits, not {cells.shape}")
    groups = cells.reshape(-1, cfg.chunk_cells).astype(np.uint64)
    shift = np.arange(cfg.chunk_cells, dtype=np.uint64) * np.uint64(32 // cfg.chunk_cells)
    words = np.bitwise_or.reduce(groups << shift, axis=1)
    return [LoadWord(CELLS, index, int(word)) for index, word in enumerate(words)]


def table_loads(
    cfg: EmulatorConfig, slot: int, op: MvmOperation, table: LineTable, word_lines: NDArray[np.bool_] | None = None
) -> list[LoadWord]:
    """Words that load a table into a slot: its tag is made invalid first and valid last.

    ``word_lines``, of shape (lines,), are those that are on; at the level of the pins they belong to the tag.
    """
    tag = {"backward": int(op.direction), "wl_select": op.wl_select, "step_code": op.step_code}
    words = [LoadWord(TAGS, slot, 0)]
    for line, entry in enumerate(zip(table.offset, table.pos, table.neg, strict=True)):
        words += [
            LoadWord(TABLES, 4 * (slot * cfg.lines + line) + field, int(value) & 0xFFFFFFFF)
            for field, value in enumerate(entry)
        ]
    if cfg.tags_hold_lines:
        tag["wl_select"] = 0
        on = np.ones(cfg.lines, dtype=np.bool_) if word_lines is None else word_lines
        packed = np.packbits(on, bitorder="little").view("<u4" if cfg.lines >= 32 else "<u2")
        first = LINES + slot * len(packed)
        words += [LoadWord(PULSES, first + k, int(word)) for k, word in enumerate(packed)]
    return [*words, LoadWord(TAGS, slot, TagLayout().const({**tag, "valid": 1}).as_bits())]


def noise_loads(cfg: EmulatorConfig, model: ProgrammedCore) -> list[LoadWord]:
    """Words that load what makes read noise; none where the emulator has none."""
    if not cfg.noise:
        return []
    key, step = (0, 0) if model.register is None else (model.register.key, model.register.step)
    words = {NOISE_KEY: key, NOISE_STEP: step}
    return [LoadWord(NOISE, cfg.noise_base + index, word) for index, word in words.items()]


class TableCache:
    """Which table is in which slot of an emulator, and what has to be loaded before an operation.

    A table depends on the word lines that are on, of which the tag of its slot knows only the number of their mask: so
    a host that writes masks keeps this account. At the level of the pins the tag has the word lines, and not their
    number. The slot that was not used for longest makes room.

    Parameters
    ----------
    cfg
        Configuration.
    model
        The programmed core that is loaded; see :func:`check_core`.
    """

    def __init__(self, cfg: EmulatorConfig, model: ProgrammedCore) -> None:
        self.cfg = cfg
        self.model = model
        self._slots: dict[int, tuple[tuple[Any, ...], bytes] | None] = dict.fromkeys(range(cfg.slots))

    def loads(self, op: MvmOperation, masks: Masks) -> list[LoadWord]:
        """Words to be loaded while no operation is in progress; none if the table is there already."""
        on = masks.word_lines(op)
        lines = on.tobytes()
        tag = (op.direction, lines if self.cfg.tags_hold_lines else op.wl_select, op.step_code)
        slot = next((slot for slot, entry in self._slots.items() if entry is not None and entry[0] == tag), None)
        resident = slot is not None and self._slots[slot] == (tag, lines)
        if slot is None:
            slot = next(iter(self._slots))
        self._slots.pop(slot)
        self._slots[slot] = (tag, lines)
        return [] if resident else table_loads(self.cfg, slot, op, line_table(self.cfg, self.model, op, masks), on)
