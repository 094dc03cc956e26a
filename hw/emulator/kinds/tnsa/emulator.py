"""What stands for a transposable macro on an FPGA, and what is loaded of one that is programmed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.emulator.config import EXTRA, LoadWord
from mho.hw.emulator.kind import BoardOptions, EmulatorKind, Integers
from mho.hw.emulator.kinds.tnsa.config import LINES, NOISE, TnsaEmulatorConfig
from mho.hw.emulator.kinds.tnsa.macro import TnsaMacro
from mho.hw.emulator.kinds.tnsa.serial import SerialCore
from mho.hw.kinds import core_blocks
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.registers import tnsa_map
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import STEP_WIDTH, Direction, Masks, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation


class TnsaEmulator(EmulatorKind):
    """Offset and gain of a line's converter are in the table of each direction, word lines and step code."""

    config_type = TnsaEmulatorConfig
    macro_type = TnsaMacro
    noisy = programs = serial = True

    def blocks(self, chip: Chip, *, ranged: bool) -> TnsaBlocks:
        """Durations are constants: an emulated array has no analog time to trim, nor pins to drive by hand."""
        blocks: Any = core_blocks(chip, tiled=ranged)
        cfg = replace(blocks.cfg, trim=False, manual=False)
        write = None if blocks.write is None else replace(blocks.write, trim=False)
        parameters = None if write is None else WriteVerifyParameters.from_chip(chip)
        pulses = write is not None and write.pulses
        registers = tnsa_map(chip.lines, chip.sha256, parameters, (), products=not ranged, pulses=pulses)
        return TnsaBlocks(cfg=cfg, write=write, registers=registers)

    def fields(self, chip: Chip, core: Any) -> dict[str, Any]:
        return {"conversions": core.lines, "g_bits": chip.core.g_bits}

    def draws(self, model: Any) -> bool:
        """Where a shift register makes its read noise."""
        return model.register is not None

    @property
    def frozen(self) -> frozenset[str]:
        """Converters are in the tables."""
        return super().frozen | {"adc"}

    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[TnsaOperation]:
        """Both directions, one and two segments, both converters, word lines and lines that are off."""
        return (
            TnsaOperation(), TnsaOperation(direction=Direction.BACKWARD, step_code=300, wl_select=1),
            TnsaOperation(in_bits=8, step_code=50, line_select=3),
            TnsaOperation(in_bits=2, out_bits=6, converter=Converter.BINARY, relu=True, wl_select=5),
        )

    def check(self, cfg: TnsaEmulatorConfig, model: Any) -> None:
        """Refuse noise of cells and converters, resistive wires, amplifiers, other lines and wider cells."""
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
                f"the emulator has ideal amplifiers: leave that cause out ({argument('without')} adc), or set [neuron] "
                "to its defaults"
            )

    def weights(self, model: Any) -> Integers:
        """The cells and, for the other direction, their transpose, of shape (2, lines, lines)."""
        cells = np.asarray(model.cells, dtype=np.int64)
        return np.stack([cells, cells.T])

    def table(self, cfg: TnsaEmulatorConfig, model: Any, op: MvmOperation, masks: Masks) -> Integers:
        """Four words a line: half its offset, its half steps, nothing.

        Raises InputError if an offset exceeds the read voltage, which is more than the emulator has bits for.
        """
        key = model.key(op.backward, masks.word_lines(op))
        steps = model.steps(key, op.step_code)
        return line_table(cfg, key.offset, steps.pos, steps.neg)

    def config(self, board: BoardOptions, *, ranged: bool = False) -> TnsaEmulatorConfig:
        return replace(super().config(board, ranged=ranged), serial=board.serial)

    def component(self, cfg: TnsaEmulatorConfig) -> wiring.Component:
        """The core as it is with a macro, or one that is serial."""
        return SerialCore(cfg) if cfg.serial else super().component(cfg)

    def tag(self, cfg: TnsaEmulatorConfig, op: MvmOperation) -> int:
        """Step code and direction; for a serial core the number of the mask of word lines, too."""
        return op.step_code | int(op.direction) << STEP_WIDTH | (op.wl_select << STEP_WIDTH + 1 if cfg.serial else 0)

    def identity(self, cfg: TnsaEmulatorConfig, op: MvmOperation, masks: Masks) -> tuple[object, object]:
        """With the word lines that are on, which a serial core does not see."""
        tag, lines = self.tag(cfg, op), masks.word_lines(op).tobytes()
        return (tag, lines) if cfg.serial else ((tag, lines), None)

    def slot_loads(self, cfg: TnsaEmulatorConfig, slot: int, op: MvmOperation, masks: Masks) -> tuple[LoadWord, ...]:
        """The word lines that are on."""
        if cfg.serial:
            return ()
        packed = np.packbits(masks.word_lines(op), bitorder="little").view("<u4" if cfg.lines >= 32 else "<u2")
        return tuple(LoadWord(EXTRA, LINES + slot * len(packed) + k, word) for k, word in enumerate(packed.tolist()))

    def constants(self, cfg: TnsaEmulatorConfig, model: Any) -> list[LoadWord]:
        """Key and step of what makes read noise; both are 0 without any."""
        register = model.register
        pair = (0, 0) if register is None else (register.key, register.step)
        return [LoadWord(EXTRA, NOISE + k, word) for k, word in enumerate(pair)] if cfg.noise else []

    def steps(self, cfg: TnsaEmulatorConfig, op: MvmOperation, analog: Integers) -> Integers:
        """Each decrement takes its time."""
        core = cfg.core
        fixed = int(core.analog_cycles(op, np.zeros(op.segments, dtype=np.int64)))
        return (analog - fixed) // (core.decrement_cycles + core.compare_cycles)


def line_table(
    cfg: TnsaEmulatorConfig, offset: NDArray[np.integer], pos: NDArray[np.integer], neg: NDArray[np.integer]
) -> Integers:
    """Table of odd offsets o and even steps, as ``(o - 1) / 2`` and halves.

    A step beyond every charge is limited, which changes no code.

    Raises InputError if an offset is beyond what all cells of a line add.
    """
    half = (np.asarray(offset, dtype=np.int64) - 1) // 2
    limit = cfg.lines * (2**cfg.g_bits - 1)
    if np.abs(half).max(initial=0) > limit:
        raise InputError(f"offsets of the converters must be within {limit} codes, not {np.abs(half).max()}")
    steps = (np.minimum(np.asarray(step, dtype=np.int64) // 2, 2**cfg.step_bits - 1) for step in (pos, neg))
    return np.stack([half, *steps, np.zeros_like(half)], axis=1).ravel()
