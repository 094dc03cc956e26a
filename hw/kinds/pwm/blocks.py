"""What a phase-change core is generated from, alone and in a tile, and its registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Mux, Value
from amaranth.lib import wiring

from mho.hw.config import Chip
from mho.hw.core.layout import OpLayout, pack_codes
from mho.hw.core.port import VectorPort
from mho.hw.core.reference import CoreReference
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.map import core_map
from mho.hw.host.registers import RegisterMap
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.core import PwmCore, pwm_port
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.hw.kinds.pwm.engine.reference import CommandReference
from mho.hw.kinds.pwm.loader import PwmOpCheck
from mho.hw.kinds.pwm.pins import PwmPins
from mho.hw.kinds.pwm.settings import SettingsFile


class PwmCoreReference(CoreReference):
    """A core at transaction level. See :class:`mho.hw.core.reference.CoreReference`.

    The model of the macro takes what corrects its converters from the settings, which are in ``masks``.

    Attributes
    ----------
    commands : CommandReference
        What carries out commands; its ``rows`` are to be set for write-verify.
    """

    masks: SettingsFile

    def __init__(self, cfg: PwmCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.commands = CommandReference(self.masks, macro)

    def settings(self) -> SettingsFile:
        """All settings after reset."""
        return SettingsFile(self.cfg)

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """Output words of one operation or command with these input words; none if the descriptor is illegal."""
        if self.cfg.engine and (fields := OpLayout().from_bits(descriptor))["mode"] == COMMAND_MODE:
            outputs = self.commands.run(
                Command(fields["wl_select"]), fields["line_select"], fields["op_id"], fields["step_code"], words
            )
            return pack_codes(outputs.astype(np.int16))
        self.macro.calibration = self.masks.calibration
        return super().run(descriptor, words)


def pwm_map(
    cfg: PwmCoreConfig, sha256: str = "0" * 64, *, products: bool = True, shared: bool = False
) -> RegisterMap:
    """Registers of a phase-change core: those of every core, at the same addresses; the window of masks is longer.

    Parameters
    ----------
    sha256
        Hash of the chip description.
    products
        The host asks for products; false: a program does.
    shared
        Both do: the host while no program runs.
    """
    writing = (
        f"Word {cfg.writing_at}: write-verify, bits 7:0 the margin in counts, 15:8 pulses at most, 23:16 the first "
        "amplitude, 31:24 amplitude steps for a count, in 1/16. "
    ) if cfg.engine else ""
    settings = (
        f"Settings, whole words only. From word 0: eighteen masks of {cfg.mask_words} words: 8 of the word lines of "
        f"all devices, 8 of columns, dead word lines, dead columns. From word {cfg.columns_at}: a word a column, bits "
        "7:0 its gain in 1/128, bits 15:8 its offset in half steps, two's complement. From word "
        f"{cfg.trims_at}: a word a column, its trim registers: gain (7 bits) and curvature (4) of the positive "
        f"oscillator, then of the negative one. Word {cfg.range_at}: the range, in 2**-15. {writing}An operation takes "
        "the settings as they are when it starts."
    )
    docs = _DOCS | {"masks": settings} | (_COMMANDED if cfg.engine else {}) | (_SHARED if shared else {})
    return core_map(
        cfg, sha256, doc="One phase-change core.", docs=docs, products=products, roomy=True,
    )


_DOCS = {
    "binary": "0: the converter counts.", "in_bits": "Bits of an input code: 1 to 8 signed, 1 to 7 unsigned.",
    "step_code": "Charge of one output step in 2**-14 of what brings an oscillator to its highest frequency, before "
    "the range, at least 1.", "input": "Input codes, four of 8 bits a word, lowest byte first: one a row.",
}
_COMMANDED = {
    "input": "Input codes, four of 8 bits a word, lowest byte first: one a row. Then, for commands that take them, 16 "
    "bits a column, two a word, lowest first.",
    "mode": f"0: a product; {COMMAND_MODE}: a command, whose number is wl_select: "
    + ", ".join(f"{entry.value} {entry.name.lower()}" for entry in Command)
    + ", and whose inputs have 8 bits with a sign; others are reserved and refused.",
    "wl_select": "Mask of word lines; number of a command.",
    "line_select": "Mask of columns; registers that the command read gives: "
    + ", ".join(f"{entry.value} {entry.name.lower()}" for entry in Bank) + ".",
}
"""Of a core with an engine."""
_SHARED = {
    "ready": "The input window may be written and `start` is taken: no program of the tile runs, and nothing that one "
    "asked for is in the core.",
    "overrun": "`start` while not `ready`; it was ignored.",
}
"""Of a core in a tile whose host gives commands."""


@dataclass(frozen=True, kw_only=True)
class PwmBlocks(CoreBlocks):
    """See :class:`CoreBlocks`."""

    cfg: PwmCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "PwmBlocks":
        """The core of a chip; ``tiled``: a program asks it for products, and with an engine the host, too."""
        cfg = PwmCoreConfig.from_chip(chip, ranged=tiled)
        host_asks = not tiled or cfg.engine
        return cls(cfg=cfg, registers=pwm_map(cfg, chip.sha256, products=host_asks, shared=tiled and host_asks))

    @property
    def shared(self) -> bool:
        """An engine takes commands of the host."""
        return self.cfg.engine

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return PwmCore(self.cfg)

    def reference(self, model: Any) -> PwmCoreReference:
        """Its reference, with a model of its macro."""
        return PwmCoreReference(self.cfg, model)

    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal."""
        return PwmOpCheck(commands=self.cfg.engine)

    def input_words(self, op: Any) -> Value:
        codes = super().input_words(op)
        if not self.cfg.engine:
            return codes
        measures = op.wl_select == Command.MEASURE
        columns = Mux(measures | (op.wl_select == Command.PROGRAM), self.cfg.output_words, 0)
        return Mux(op.mode == COMMAND_MODE, columns + Mux(measures, codes, 0), codes)

    @property
    def port(self) -> VectorPort:
        return pwm_port(self.cfg)

    @property
    def pins(self) -> PwmPins:
        """Pins of the macro."""
        return PwmPins(self.cfg)
