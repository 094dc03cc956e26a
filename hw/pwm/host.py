"""A phase-change core behind a 32-bit bus: its registers, and what answers for them alone and in a tile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Const, Mux, Value
from amaranth.lib import wiring

from mho.hw.config import Chip
from mho.hw.core.port import VectorPort
from mho.hw.host.core.access import CoreAccess
from mho.hw.host.core.host import CoreHost
from mho.hw.host.core.map import core_map
from mho.hw.host.core.shared_access import SharedAccess
from mho.hw.host.registers import Access, Register, RegisterMap, Window
from mho.hw.pwm.config import PwmCoreConfig
from mho.hw.pwm.core import PwmCore, pwm_port
from mho.hw.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.hw.pwm.loader import PwmOpCheck
from mho.hw.pwm.pins import PwmPins
from mho.hw.pwm.reference import PwmCoreReference, PwmMacro
from mho.hw.pwm.top import PwmTop

__all__ = ["PwmAccess", "PwmBlocks", "PwmHost", "pwm_map"]

_ADDRESS_WIDTH = 14
_INPUT_AT, _OUTPUT_AT = 0x2000, 0x2400


def pwm_map(
    cfg: PwmCoreConfig, sha256: str = "0" * 64, *, products: bool = True, shared: bool = False
) -> RegisterMap:
    """Registers of a phase-change core: those of every core, at the same addresses; the window of masks is longer.

    Parameters
    ----------
    cfg
        Configuration of the core.
    sha256
        Hash of the chip description.
    products
        The host asks for products; false: a program does.
    shared
        Both do: the host while no program runs.
    """
    common = core_map(cfg.lines, sha256, None, (), products=products)
    writing = (
        f"Word {cfg.writing_at}: write-verify, bits 7:0 the margin in counts, 15:8 pulses at most, 23:16 the first "
        "amplitude, 31:24 amplitude steps for a count, in 1/16. "
    ) if cfg.engine else ""
    docs = _DOCS | (_COMMANDED if cfg.engine else {}) | (_SHARED if shared else {})
    windows = {
        "masks": Window(
            name="masks", address=0x400, words=cfg.setting_words, access=Access.W,
            doc=f"Settings, whole words only. From word 0: eighteen masks of {cfg.mask_words} words: 8 of the word "
            f"lines of all devices, 8 of columns, dead word lines, dead columns. From word {cfg.columns_at}: a word a "
            f"column, bits 7:0 its gain in 1/128, bits 15:8 its offset in half steps, two's complement. From word "
            f"{cfg.trims_at}: a word a column, its trim registers: gain (7 bits) and curvature (4) of the positive "
            f"oscillator, then of the negative one. Word {cfg.range_at}: the range, in 2**-15. {writing}An "
            "operation takes the settings as they are when it starts.",
        ),
        "input": Window(
            name="input", address=_INPUT_AT, words=cfg.most_input_words, access=Access.W, byte_writes=True,
            doc="Input codes, four of 8 bits a word, lowest byte first: one a row." + (
                " Then, for commands that take them, 16 bits a column, two a word, lowest first." if cfg.engine else ""
            ),
        ),
        "output": Window(
            name="output", address=_OUTPUT_AT, words=cfg.output_words, access=Access.R,
            doc="Output codes, two of 16 bits a word, lowest first, two's complement, in half steps.",
        ),
    }
    return RegisterMap(
        name="core", doc="One phase-change core. Words are 32 bits, little endian; addresses count bytes.",
        address_width=_ADDRESS_WIDTH,
        entries=tuple(_entry(windows, entry, docs) for entry in common.entries),
    )


_DOCS = {
    "backward": "0: products go forward only.", "binary": "0: the converter counts.",
    "early_stop": "Without effect: a product takes always as long.", "relu": "Negative outputs are 0.",
    "in_bits": "Bits of an input code: 1 to 8 signed, 1 to 7 unsigned.",
    "wl_select": "Mask of word lines.", "line_select": "Mask of columns.",
    "step_code": "Charge of one output step in 2**-14 of what brings an oscillator to its highest frequency, before "
    "the range, at least 1.", "lines": "Rows, and columns.",
}
_COMMANDED = {
    "mode": f"0: a product; {COMMAND_MODE}: a command, whose number is wl_select: "
    + ", ".join(f"{one.value} {one.name.lower()}" for one in Command)
    + ", and whose inputs have 8 bits with a sign; others are reserved and refused.",
    "wl_select": "Mask of word lines; number of a command.",
    "line_select": "Mask of columns; registers that the command read gives: "
    + ", ".join(f"{one.value} {one.name.lower()}" for one in Bank) + ".",
}
"""Of a core with an engine."""
_SHARED = {
    "ready": "The input window may be written and `start` is taken: no program of the tile runs, and nothing that one "
    "asked for is in the core.",
    "overrun": "`start` while not `ready`; it was ignored.",
}
"""Of a core in a tile whose host gives commands."""


def _entry(windows: Mapping[str, Window], entry: Register | Window, docs: Mapping[str, str]) -> Register | Window:
    """An entry of every core as it is for one of this kind."""
    if isinstance(entry, Window):
        return windows[entry.name]
    return replace(entry, fields=tuple(
        replace(field, doc=docs.get(field.name, field.doc)) for field in entry.fields
    ))


class _WithPort:
    """What hosts of this kind have in common."""

    cfg: Any

    @property
    def core_port(self) -> VectorPort:
        """The vector port of the core."""
        return pwm_port(self.cfg)


class PwmHost(_WithPort, CoreHost):
    """See :class:`CoreHost`."""

    verilog_name = "core_host"
    cfg: Any

    def __init__(self, cfg: PwmCoreConfig, map: RegisterMap, *, shared: bool = False) -> None:
        config: Any = cfg
        super().__init__(config, map, shared=shared)

    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal."""
        return PwmOpCheck(commands=self.cfg.engine)

    def input_words(self, op: Any) -> Value:
        """Words of the input stream that an operation takes."""
        codes, columns = self.cfg.input_words(), self.cfg.output_words
        if not self.cfg.engine:
            return Const(codes)
        with_columns = (op.wl_select == Command.MEASURE) | (op.wl_select == Command.PROGRAM)
        return Mux(
            op.mode == COMMAND_MODE,
            Mux(with_columns, columns, 0) + Mux(op.wl_select == Command.MEASURE, codes, 0), codes,
        )


class _InTile(_WithPort):
    """What those in a tile have in common; only one of them is in a design."""

    verilog_name = "core_access"

    def __init__(self, cfg: PwmCoreConfig, map: RegisterMap) -> None:
        parent: Any = super()
        parent.__init__(cfg, map)


class PwmAccess(_InTile, CoreAccess):
    """See :class:`CoreAccess`."""


class PwmSharedAccess(_InTile, SharedAccess):
    """See :class:`SharedAccess`."""

    def host(self) -> CoreHost:
        """Its registers and windows, with ``shared``."""
        return PwmHost(self.cfg, self.map, shared=True)


@dataclass(frozen=True, kw_only=True)
class PwmBlocks:
    """See :class:`mho.hw.kinds.CoreBlocks`."""

    cfg: PwmCoreConfig
    registers: RegisterMap
    programs = False
    trim = None

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "PwmBlocks":
        """The core of a chip; ``tiled``: a program asks it for products, and with an engine the host, too."""
        cfg = PwmCoreConfig.from_chip(chip, ranged=tiled)
        asked = not tiled or cfg.engine
        return cls(cfg=cfg, registers=pwm_map(cfg, chip.sha256, products=asked, shared=tiled and asked))

    def core(self) -> wiring.Component:
        """The core with its macro."""
        return PwmTop(self.cfg)

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return PwmCore(self.cfg)

    def host(self) -> wiring.Component:
        """What drives it from a bus."""
        return PwmHost(self.cfg, self.registers)

    def access(self) -> wiring.Component:
        """Its registers: without products, or with turns between the host and a program."""
        if self.cfg.engine:
            return PwmSharedAccess(self.cfg, self.registers)
        return PwmAccess(self.cfg, self.registers)

    def reference(self, model: PwmMacro) -> PwmCoreReference:
        """Its reference, with a model of its macro."""
        return PwmCoreReference(self.cfg, model)

    @property
    def port(self) -> VectorPort:
        """The vector port."""
        return pwm_port(self.cfg)

    @property
    def pins(self) -> PwmPins:
        """Pins of the macro."""
        return PwmPins(self.cfg)

    @property
    def configurations(self) -> tuple[object, ...]:
        """What its blocks are configured by."""
        return self, self.cfg, self.registers, self.pins

    @property
    def idle(self) -> Mapping[str, int]:
        """Other inputs that nothing uses."""
        return {}
