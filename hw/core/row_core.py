"""A whole core of rows that are driven and columns that are converted, all but what its kind does at the pins."""

from abc import abstractmethod
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from mho.hw.block import Resettable
from mho.hw.core.digital.config import RowConfig
from mho.hw.core.digital.groups import ColumnGroups, ResultLayout
from mho.hw.core.digital.loader import CodeLoader
from mho.hw.core.digital.sequencer import PhaseSequencer
from mho.hw.core.layout import OpLayout, WordsLayout
from mho.hw.core.masks import MaskLayout, MaskStore
from mho.hw.core.port import VectorPort, count_operations
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.core.write_verify.engine import WritePort
from mho.hw.core.write_verify.joined import WritesCells
from mho.hw.macro.contract import ContractPins
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import MAX_BITS


class RowDriver(Resettable[RowConfig]):
    """Holds the planes of the operation that runs, and drives one of them.

    ``load``, ``drive`` and ``clear`` take effect at the next clock edge. No row is driven both ways, and none but
    between ``drive`` and ``clear``.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.inputs()), MAX_BITS)
    in_signed = In(1)
    driven = In(lambda self: self.cfg.inputs())
    """Take over an operation: the planes of :class:`mho.hw.core.digital.loader.CodeLoader`, and rows that are
    driven."""
    drive = In(1)
    select = In(lambda self: range(max(self.cfg.drive_steps, 2)))
    """Put a step on the rows: the number of a digit, times ``cfg.row_groups``, and of the group of rows."""
    clear = In(1)
    """Release the rows."""
    pos = Out(lambda self: self.cfg.inputs() * self.cfg.digit_bits)
    neg = Out(lambda self: self.cfg.inputs() * self.cfg.digit_bits)
    """Digits of rows of positive and of negative inputs, from flip-flops."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, bits, groups = self.cfg.inputs(), self.cfg.digit_bits, self.cfg.row_groups
        # Written by every operation before they are read: no reset.
        stored = [Signal(rows, name=f"held_{k}", reset_less=True) for k in range(MAX_BITS)]
        negative = Signal(rows, reset_less=True)
        level = Signal(rows * bits)
        with m.If(self.load):
            planes: list[Value] = list(self.planes)
            if bits > 1:
                planes[-1] = Mux(self.in_signed, 0, planes[-1])  # a sign, which is in a digit with magnitudes
            m.d.sync += [plane.eq(loaded & self.driven) for plane, loaded in zip(stored, planes, strict=True)]
            m.d.sync += negative.eq(Mux(self.in_signed, self.planes[-1], 0))
        with m.Switch(self.select):
            for k in range(self.cfg.drive_steps):
                digit = stored[bits * (k // groups) : bits * (k // groups + 1)]
                first, last = (rows * (k % groups + end) // groups for end in (0, 1))
                with m.Case(k):
                    if groups > 1:
                        driven = Cat(plane[row] for row in range(first, last) for plane in digit)
                        m.d.comb += level[bits * first : bits * last].eq(driven)
                    else:
                        m.d.comb += level.eq(Cat(*zip(*digit, strict=True)) if bits > 1 else digit[0])
        sign = Cat(bit.replicate(bits) for bit in negative) if bits > 1 else negative
        if self.cfg.chop:
            sign ^= self._reversed(m).replicate(rows * bits)
        with m.If(self.drive):
            m.d.sync += [self.pos.eq(level & ~sign), self.neg.eq(level & sign)]
        with m.Elif(self.clear):
            m.d.sync += [self.pos.eq(0), self.neg.eq(0)]
        return self.resets(m)

    def _reversed(self, m: Module) -> Value:
        """Whether the step that is next to be driven is so the other way."""
        if self.cfg.row_groups > 1:
            return self.select[0]
        later = Signal()
        with m.If(self.load):
            m.d.sync += later.eq(0)
        with m.Elif(self.drive):
            m.d.sync += later.eq(1)
        return later


def row_port(cfg: Any, write: WriteVerifyConfig | None = None) -> VectorPort:
    """The vector port of such a core: masks, descriptors of the common layout, a range of words in a tile.

    With ``write`` it programs its cells.
    """
    words = WordsLayout(cfg.output_words) if cfg.ranged else None
    return VectorPort(OpLayout(), MaskLayout(cfg), None if write is None else WritePort(write), words=words)


def steps_of(cfg: RowConfig, planes: Value) -> Value:
    """Steps of an operation with so many planes; see :meth:`RowConfig.steps_of`."""
    digits = planes if cfg.digit_bits == 1 else (planes + (cfg.digit_bits - 1)) >> cfg.digit_bits.bit_length() - 1
    return digits << cfg.row_groups.bit_length() - 1 if cfg.row_groups > 1 else digits


class CoreParts(NamedTuple):
    """What a core is made of, by the names of its modules."""

    masks: Any
    loader: Any
    sequencer: Any
    row_driver: Any
    unit: Any


class GroupedCore(WritesCells, Resettable[Any]):
    """Runs matrix-vector products: rows are driven, and columns are read in groups.

    The next operation loads and the last result drains while one is at the pins. A kind says its parts (:meth:`parts`),
    what is between them (:meth:`connect`), and what an operation brings to the pins (:meth:`followed`). Among these are
    ``op_id`` and ``hold``.
    """

    write = None
    programming_enable = In(1, when=lambda self: self.write is not None, init=1)
    verilog_name = "digital"
    macro: Any = Out(lambda self: self.pins)
    """The macro. Everything that it sees comes from flip-flops."""

    @abstractmethod
    def parts(self) -> CoreParts:
        """Its parts."""

    @abstractmethod
    def connect(self, m: Module, parts: CoreParts, busy: Value) -> tuple[Value, Value]:
        """Connect the parts; strobes of a conversion that ended, and of an operation. ``busy``: there is one."""

    def counted(self, parts: CoreParts) -> Any:
        """What says when operations run, and are at the pins: has ``running`` and ``analog``."""
        return parts.sequencer

    def connect_pins(self, m: Module, unit: Any) -> None:
        """Connect the pins that only this kind has, and what the unit sees of them."""

    @abstractmethod
    def followed(self, parts: CoreParts) -> dict[str, Value]:
        """What is at pins of the macro from the start of an operation to that of the next."""

    def elaborate(self, platform: object) -> Any:
        m, pins = Module(), self.macro
        masks, loader, sequencer, _, unit = parts = self.parts()
        for name, part in parts._asdict().items():
            m.submodules[name] = part
        wiring.connect(m, loader.op, wiring.flipped(self.op))
        busy = loader.busy | sequencer.running | unit.busy
        m.d.comb += [
            # Masks are looked up while the codes load.
            masks.read.eq(loader.accept), masks.wl_select.eq(loader.staged.wl_select),
            masks.line_select.eq(loader.staged.line_select), sequencer.hold.eq(pins.hold),
            sequencer.free.eq(unit.free), unit.finish.eq(sequencer.finish),
        ]
        self._follow(m, parts)
        # Behind it: what a kind connects may take the pins over from an operation.
        converted, done = self.connect(m, parts, busy)
        self.connect_pins(m, unit)
        count_operations(
            m, self.status, self.counted(parts), hold=pins.hold, busy=busy, error=loader.error, converted=converted,
            done=done,
        )
        return self.resets(m)

    def _follow(self, m: Module, parts: CoreParts) -> None:
        """What goes with an operation from where it waits to the pins, and to what makes its result."""
        cfg, loader, unit, enabled_lines = self.cfg, parts.loader, parts.unit, parts.masks.enabled
        if cfg.column_lines > 1:  # of the lines of an output the first
            enabled_lines = Cat(enabled_lines[cfg.column_lines * k] for k in range(cfg.outputs))
        running = Signal(ResultLayout(cfg), reset_less=True)
        enabled = Signal(cfg.outputs, reset_less=True)
        words = Signal(WordsLayout(cfg.output_words), reset_less=True)
        if cfg.ranged:
            with m.If(loader.accept):
                m.d.sync += words.eq(self.words)
        else:
            m.d.comb += words.last.eq(cfg.output_words - 1)
        with m.If(parts.sequencer.take):
            m.d.sync += [
                running.out_bits.eq(loader.staged.out_bits), running.relu.eq(loader.staged.relu),
                running.words.eq(words), enabled.eq(enabled_lines),
                *(getattr(self.macro, name).eq(value) for name, value in self.followed(parts).items()),
            ]
        m.d.comb += [unit.result.eq(running), unit.enabled.eq(enabled)]


class RowCore(GroupedCore):
    """A core whose rows are driven step by step.

    A kind says the order at the pins by the ``phases`` of its configuration, which are strobes of its pins (rows change
    in the cycle behind one), what codes are made of (:meth:`unit`), and what else is at the pins
    (:meth:`connect_pins`).

    Parameters
    ----------
    cfg
        Configuration of the core: its shape, ``phases`` (:class:`mho.hw.core.digital.sequencer.Phase`), ``lanes``.
    write
        Configuration of write-verify. None: the core does not program its cells.

    Members
    -------
    <the members of :func:`row_port`>
        The vector port.
    """

    def __init__(self, cfg: Any, write: WriteVerifyConfig | None = None) -> None:
        self.pins, self.write = self.pins_of(cfg, write), write
        self.port = row_port(cfg, write)
        super().__init__(cfg, self.port.members)

    @staticmethod
    @abstractmethod
    def pins_of(cfg: Any, write: WriteVerifyConfig | None) -> ContractPins:
        """Pins of the macro.

        Among them are ``row_pos``, ``row_neg``, ``wl_en`` if there are word lines, ``plane``, ``step_code``, ``op_id``,
        ``capture`` (strobe: the result goes to what is read), ``group`` and ``hold``; with ``write`` those of
        programming.
        """

    @abstractmethod
    def unit(self) -> ColumnGroups:
        """What makes codes of the results of the macro."""

    def parts(self) -> CoreParts:
        """See :class:`GroupedCore`."""
        cfg = self.cfg
        sequencer = PhaseSequencer(cfg.phases, cfg.drive_steps)
        return CoreParts(MaskStore(cfg), self.loader(), sequencer, RowDriver(cfg), self.unit())

    def loader(self) -> CodeLoader[Any]:
        """What loads operations."""
        return CodeLoader(self.cfg)

    def followed(self, parts: CoreParts) -> dict[str, Value]:
        """See :class:`GroupedCore`."""
        staged = parts.loader.staged
        followed = {"wl_en": parts.masks.wl, "step_code": staged.step_code, "op_id": staged.op_id}
        return {name: value for name, value in followed.items() if name in self.pins.members}

    def connect(self, m: Module, parts: CoreParts, busy: Value) -> tuple[Value, Value]:
        """See :class:`GroupedCore`."""
        (masks, loader, sequencer, rows, unit), pins = parts, self.macro
        for inner, outer in ((masks.i, self.mask), (loader.i, self.i), (unit.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))
        staged = loader.staged
        begun = Signal()
        planes = Signal(4)
        m.d.sync += begun.eq(sequencer.begins)
        full = loader.full & ~masks.busy
        if self.write is not None:
            full &= ~self.add_write_verify(
                m, running=self.counted(parts).running, hold=pins.hold, verify_valid=pins.verify_valid
            )
        full, take, done = self.divide(m, parts, full)
        m.d.comb += [
            loader.masks_ready.eq(masks.ready), sequencer.full.eq(full), loader.take.eq(take),
            planes.eq(staged.in_bits - (staged.in_signed & (staged.in_bits != 1))),
            sequencer.planes.eq(steps_of(self.cfg, planes)),
            rows.load.eq(sequencer.take), rows.in_signed.eq(staged.in_signed), rows.driven.eq(masks.driven),
            rows.drive.eq(begun), rows.select.eq(sequencer.plane), rows.clear.eq(sequencer.finish),
            *(plane.eq(code[: len(plane)]) for plane, code in zip(rows.planes, loader.planes, strict=True)),
            pins.row_pos.eq(rows.pos), pins.row_neg.eq(rows.neg),
            pins.plane.eq(sequencer.plane), pins.capture.eq(sequencer.capture), pins.group.eq(unit.row),
            *(getattr(pins, phase.name).eq(getattr(sequencer, phase.name)) for phase in self.cfg.phases),
        ]
        return sequencer.finish, done

    def divide(self, m: Module, parts: CoreParts, full: Value) -> tuple[Value, Value, Value]:
        """Which operations are products: that one waits, that the one that waits is taken, that an operation ends."""
        return full, parts.sequencer.take, parts.sequencer.finish
