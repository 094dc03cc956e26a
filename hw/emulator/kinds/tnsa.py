"""The emulator of the transposable core: at the vector level, or its macro alone behind the pins."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.kind import BoardOptions, CoreLoads, EmulatorKind
from mho.hw.emulator.layout import TAGS
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.pins.core import PinLevelCore
from mho.hw.emulator.vector.emulator import VectorEmulator
from mho.hw.emulator.vector.reference import (
    LoadWord,
    ProgrammedCore,
    TableCache,
    cell_loads,
    check_core,
    noise_loads,
    programmed_core,
)
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.host.map import tnsa_map
from mho.macro_models.integer.operation import Converter, Direction, Masks, MvmOperation

__all__ = ["EMULATOR"]


class _Loads(CoreLoads):
    """Cells, tables with their tags, noise."""

    def __init__(self, cfg: EmulatorConfig, model: ProgrammedCore) -> None:
        self._cfg, self._model = cfg, model
        self._tables = TableCache(cfg, model)

    def cells(self) -> NDArray[np.uint32]:
        """See :class:`CoreLoads`."""
        return np.array([load.data for load in cell_loads(self._cfg, self._model.cells)], dtype=np.uint32)

    def first(self) -> list[LoadWord]:
        """No tag may be left of the core that was there before."""
        tags = [LoadWord(TAGS, slot, 0) for slot in range(self._cfg.slots)]
        return [*tags, *noise_loads(self._cfg, self._model)]

    def before(self, op: MvmOperation, masks: Masks) -> list[LoadWord]:
        """A table, unless it is there."""
        return self._tables.loads(op, masks)

    def steps(self, op: MvmOperation, analog: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each decrement takes its time."""
        core = self._cfg.core
        fixed = int(core.analog_cycles(op, np.zeros(op.segments, dtype=np.int64)))
        return (analog - fixed) // (core.decrement_cycles + core.compare_cycles)


class _TransposableEmulator(EmulatorKind):
    levels: ClassVar[tuple[str, ...]] = ("vector", "pin")
    fewest_lanes: ClassVar[int] = 8

    def config(self, board: BoardOptions, *, ranged: bool = False) -> EmulatorConfig:
        """Durations are constants: an emulated array has no analog time to trim."""
        core = replace(TnsaCoreConfig.from_chip(board.chip, ranged=ranged), trim=False, manual=False)
        common: dict[str, Any] = {
            "core": core, "g_bits": board.chip.core.g_bits, "lanes": board.lanes, "slots": board.slots,
            "memory": board.memory, "noise": board.noise, "search_width": board.search_width,
        }
        if board.level == "vector":
            return EmulatorConfig(**common)
        write = self.write(board)
        return PinEmulatorConfig(
            **common, converters=board.converters, verify_bits=None if write is None else write.verify_bits
        )

    def component(self, cfg: EmulatorConfig, write: WriteVerifyConfig | None) -> wiring.Component:
        """See :class:`EmulatorKind`."""
        return PinLevelCore(cfg, write) if isinstance(cfg, PinEmulatorConfig) else VectorEmulator(cfg)

    def write(self, board: BoardOptions) -> WriteVerifyConfig | None:
        """At the level of the pins, where the chip has an engine."""
        if board.level == "vector" or not PulseChip.of(board.chip).programming.engine:
            return None
        return replace(WriteVerifyConfig.from_chip(board.chip), trim=False)

    def blocks(self, board: BoardOptions, cfg: EmulatorConfig) -> TnsaBlocks:
        """See :class:`EmulatorKind`."""
        write, chip = self.write(board), board.chip
        parameters = WriteVerifyParameters.from_chip(chip) if write else None
        registers = tnsa_map(chip.lines, chip.sha256, parameters, (), products=not cfg.core.ranged)
        return TnsaBlocks(cfg=cfg.core, write=write, registers=registers)

    def draws(self, model: Any) -> bool:
        """Where a shift register makes its read noise."""
        return programmed_core(model).register is not None

    def check(self, cfg: EmulatorConfig, model: Any) -> None:
        """See :func:`check_core`."""
        check_core(cfg, programmed_core(model))

    @property
    def frozen(self) -> frozenset[str]:
        """Converters are in the tables."""
        return super().frozen | {"adc"}

    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """Both directions, one and two segments, both converters, word lines and lines that are off."""
        return (
            MvmOperation(), MvmOperation(direction=Direction.BACKWARD, step_code=300, wl_select=1),
            MvmOperation(in_bits=8, step_code=50, line_select=3),
            MvmOperation(in_bits=2, out_bits=6, converter=Converter.BINARY, relu=True, wl_select=5),
        )

    def loads(self, cfg: EmulatorConfig, model: Any) -> CoreLoads:
        """See :class:`EmulatorKind`."""
        return _Loads(cfg, programmed_core(model))


EMULATOR = _TransposableEmulator()
