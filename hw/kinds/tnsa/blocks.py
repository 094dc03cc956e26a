"""What a transposable core is generated from, alone and in a tile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring

from mho.hw.config import Chip, PulseChip
from mho.hw.core.port import VectorPort
from mho.hw.core.reference import CoreReference
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.kinds.tnsa.bring_up.manual import ROWS, manual_inputs
from mho.hw.kinds.tnsa.bring_up.trim import TrimLayout, trim_fields, trimmed
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore, tnsa_port
from mho.hw.kinds.tnsa.inputs import OpCheck
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.hw.kinds.tnsa.registers import TRIM_PLACES, chip_map, tnsa_map
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation


class TnsaCoreReference(CoreReference):
    """A core at transaction level. See :class:`mho.hw.core.reference.CoreReference`.

    Attributes
    ----------
    now : TnsaCoreConfig
        The configuration with the values that are in force, see :meth:`trim`.
    """

    def __init__(self, cfg: TnsaCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.now = cfg
        self._written: dict[str, int] = {}

    @property
    def timing(self) -> TnsaCoreConfig:
        """Durations that are in force."""
        return self.now

    def trim(self, **values: int) -> None:
        """Write durations and limits, by their names in the configuration: in force from the next operation on."""
        self._written |= values
        self.now = trimmed(self.cfg, self._written)

    def operation(self, descriptor: int) -> tuple[TnsaOperation, int]:
        """See :func:`mho.hw.core.layout.unpack`; an operation beyond the limits is refused, too."""
        op, op_id = super().operation(descriptor)
        if not self.now.allows(op):
            raise InputError(f"in_bits and out_bits must be at most {self.now.most_in_bits} and "
                             f"{self.now.most_out_bits}, not {op.in_bits} and {op.out_bits}")
        return op, op_id


def add_manual(m: Module, bank: Any, port: Any, *, write: bool) -> None:
    """Connect the registers of :mod:`mho.hw.kinds.tnsa.registers` with the member ``manual`` of a vector port.

    Parameters
    ----------
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    port
        The other end of :class:`mho.hw.kinds.tnsa.bring_up.manual.ManualPort`.
    write
        The core programs its cells.
    """
    status, levels, strobes = bank.manual_status, port.levels, port.strobes
    m.d.comb += [
        port.request.eq(bank.manual_control.enable), status.active.eq(port.active), status.pulsing.eq(port.pulsing),
        status.hold.eq(port.hold), levels.step_code.eq(bank.manual_amounts.step_code),
        *(levels[name].eq(getattr(bank.manual_levels, name)) for name in ("backward", "latch", "plane", "dec_scale")),
    ]
    names = ["precharge", "sample", "compare", "decrement"]
    if write:
        names += ["verify", "pulse"]
        m.d.comb += [
            levels.write_mode.eq(bank.manual_levels.write_mode), levels.amplitude.eq(bank.manual_amounts.amplitude),
            levels.pulse_cycles.eq(bank.manual_pulse_time.pulse_cycles),
            status.verify_valid.eq(port.verify_valid), status.verify_code.eq(port.verify_code),
        ]
    m.d.comb += [strobes[name].eq(getattr(bank.manual_strobe, name)) for name in names]
    row: Value | int = 0
    word, data = bank.manual_positive.address, bank.manual_positive.data
    for number, name in enumerate(ROWS):
        window = getattr(bank, f"manual_{name}")
        m.d.comb += window.ready.eq(1)
        row = Mux(window.enable, number, row)
        if number:
            word, data = Mux(window.enable, window.address, word), Mux(window.enable, window.data, data)
    enabled = [getattr(bank, f"manual_{name}").enable for name in ROWS]
    answers = bank.manual_cmp
    m.d.comb += [
        port.row_enable.eq(enabled[0] | enabled[1] | enabled[2]), port.row.eq(row), port.row_word.eq(word),
        port.row_data.eq(data), port.cmp_word.eq(answers.address), answers.data.eq(port.cmp_data), answers.ready.eq(1),
    ]


@dataclass(frozen=True, kw_only=True)
class TnsaBlocks(CoreBlocks):
    """See :class:`CoreBlocks`."""

    cfg: TnsaCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "TnsaBlocks":
        """The core of a chip; ``tiled``: a program asks it for products."""
        return cls(
            cfg=TnsaCoreConfig.from_chip(chip, ranged=tiled), registers=chip_map(chip, products=not tiled),
            write=WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None,
        )

    @classmethod
    def of(
        cls, cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None, *, products: bool = False
    ) -> "TnsaBlocks":
        """A core of no description; without ``products`` one in a tile."""
        return cls(cfg=cfg, write=write, registers=tnsa_map(
            cfg.lines, parameters=None if write is None else WriteVerifyParameters(), trim=trim_fields(cfg, write),
            products=products, manual=cfg.manual, pulses=write is not None and write.pulses,
        ))

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return TnsaCore(self.cfg, self.write)

    def reference(self, model: Any) -> TnsaCoreReference:
        """Its reference, with a model of its macro."""
        return TnsaCoreReference(self.cfg, model)

    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal."""
        return OpCheck(limited=self.cfg.trim)

    def connect(self, m: Module, bank: Any, core: Any) -> None:
        """Durations and limits, where they are registers, and manual mode."""
        for field in trim_fields(self.cfg, self.write):
            register, name = TRIM_PLACES[field.name]
            m.d.comb += core.trim[field.name].eq(getattr(getattr(bank, register), name))
        if self.cfg.manual:
            add_manual(m, bank, core.manual, write=self.programs)

    @property
    def port(self) -> VectorPort:
        return tnsa_port(self.cfg, self.write)

    @property
    def pins(self) -> MacroPins:
        """Pins of the macro."""
        return MacroPins(self.cfg.lines, None if self.write is None else self.write.verify_bits)

    @property
    def trim(self) -> int | None:
        """Value of ``trim``."""
        return TrimLayout(self.cfg, self.write).pack({}) if self.cfg.trim else None

    @property
    def idle(self) -> Mapping[str, int]:
        """Other inputs that nothing uses."""
        return manual_inputs(self.cfg, self.write) if self.cfg.manual else {}
