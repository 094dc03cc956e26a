"""Registers that every core has behind a bus, whatever its kind, and what a host does with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from mho.hw.core.layout import OpLayout
from mho.hw.core.shape import CoreShape
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.host.core.write_map import write_entries
from mho.hw.host.link.tasks import Poll, Read, Task, Write
from mho.hw.host.registers import (
    Access,
    Field,
    Register,
    RegisterMap,
    Window,
    constant,
    description,
    identity,
    register_word,
)

ADDRESS_WIDTH = 12
"""Bits of a byte address: 4 KiB for one core of any size, unless its masks need more room."""

MAGIC = 0x6D68
"""What identifies a core: ``mh``."""

MAP_VERSION = 1
"""Grows when a register moves or changes its meaning."""

MASKS_AT = 0x400
"""Address of the masks; codes are behind them."""


def _counter(name: str, address: int, doc: str) -> tuple[Register, Register]:
    low = Field(name="value", width=32, doc=f"{doc}, bits 31:0.")
    high = Field(name="value", width=16, doc=f"{doc}, bits 47:32.")
    return (
        Register(
            name=f"{name}_low", address=address, fields=(low,), read_strobe=True,
            doc="Reading it keeps the upper part for the register that follows.",
        ),
        Register(
            name=f"{name}_high", address=address + 4, fields=(high,),
            doc="Upper part of the counter whose lower part was read last.",
        ),
    )


def _identity(lines: int, sha256: str) -> tuple[Register, ...]:
    return (
        identity(MAGIC, MAP_VERSION, "core"),
        Register(name="geometry", address=0x004, doc="Size of the core.", fields=(
            constant("lines", 16, lines, "Rows, and columns."),
        )),
        description(0x008, sha256),
    )


_PROGRAM = ("start", "ready", "done", "overrun", "step", "op_id_low", "op_id_high", "operation", "input", "output")
"""Fields, registers and windows by which a host asks for products: where a program does, they are not there."""


def _without_products(entries: Sequence[Register | Window]) -> Iterator[Register | Window]:
    """The same for a core whose products a program asks for; what is left keeps its place."""
    for entry in entries:
        if entry.name in _PROGRAM:
            continue
        if entry.name in ("control", "status", "interrupt_enable") and isinstance(entry, Register):
            fields = (
                Field(name=field.name, constant=True, doc="0: a program asks for products.")
                if field.name in _PROGRAM
                else replace(field, access=Access.R, doc="A descriptor was not legal and was dropped. Until reset.")
                if (entry.name, field.name) == ("status", "error") else field
                for field in entry.fields
            )
            entry = replace(entry, fields=tuple(fields))
        yield entry


def _control(*, write: bool) -> tuple[Register, ...]:
    more = (
        Field(name="write_done", access=Access.RW, doc="`write_status.done`."),
        Field(name="write_error", access=Access.RW, doc="`write_status.error` or `write_status.overrun`."),
        Field(name="write_service", access=Access.RW, doc="At least half of `results` waits, or during a run at least "
              "half of `targets` is free."),
    )
    return (
        Register(name="control", address=0x010, doc="Commands.", fields=(
            Field(name="start", access=Access.W, doc="Issue the operation of the registers below on the input window."),
            Field(name="soft_reset", access=Access.W, doc="Reset the core, its masks and the state of the windows; "
                  "the registers of the operation and the interrupts stay."),
        )),
        Register(name="status", address=0x014, doc="State, and what happened.", fields=(
            Field(name="ready", doc="The input window may be written and `start` is taken."),
            Field(name="busy", doc="An operation is in progress, or its output is not yet in the window."),
            Field(name="done", access=Access.RW1C, doc="The output window holds a result. The next result waits until "
                  "this is cleared."),
            Field(name="error", access=Access.RW1C, doc="The operation that was started is not legal; it was dropped."),
            Field(name="overrun", access=Access.RW1C, doc="`start` while not `ready`; it was ignored."),
        )),
        Register(name="interrupt_enable", address=0x018, doc="What raises the interrupt, as long as it lasts.", fields=(
            Field(name="done", access=Access.RW, doc="`status.done`."),
            Field(name="error", access=Access.RW, doc="`status.error` or `status.overrun`."),
            *(more if write else ()),
        )),
    )


def _operation() -> tuple[Register, ...]:
    rw = Access.RW
    return (
        Register(name="operation", address=0x020, doc="The next operation; `start` takes a copy.", fields=(
            Field(name="backward", access=rw, doc="0: products go forward only."),
            Field(name="in_bits", width=4, access=rw, reset=4, doc="Bits of an input code, 1 to 8."),
            Field(name="in_signed", access=rw, reset=1, doc="Input codes are two's complement."),
            Field(name="out_bits", width=4, access=rw, reset=8, doc="Bits of an output code, 1 to 8."),
            Field(name="binary", access=rw, doc="0: there is one way to convert."),
            Field(name="relu", access=rw, doc="Negative outputs are 0."),
            Field(name="early_stop", access=rw, reset=1, doc="Without effect: a product takes always as long."),
            Field(name="wl_select", width=3, access=rw, doc="Mask of word lines."),
            Field(name="line_select", width=3, access=rw, doc="Mask of columns."),
            Field(name="mode", width=3, access=rw, doc="0; others are reserved and refused."),
        )),
        Register(name="step", address=0x024, doc="The converter's step.", fields=(
            Field(name="step_code", width=16, access=rw, reset=256, doc="What one output step is, at least 1."),
        )),
        Register(name="op_id_low", address=0x028, doc="Number of the operation, bits 31:0.", fields=(
            Field(name="value", width=32, access=rw, doc="Operation within the program."),
        )),
        Register(name="op_id_high", address=0x02C, doc="Number of the operation, bits 63:32.", fields=(
            Field(name="value", width=32, access=rw, doc="Image."),
        )),
    )


def _write_counters() -> tuple[Register, ...]:
    return (
        *_counter("write_cycles_total", 0x0E8, "Clock cycles of the run"),
        *_counter("write_cycles_hold", 0x0F0, "Clock cycles of the run for which the macro held the core"),
    )


def core_map(
    shape: CoreShape, sha256: str = "0" * 64, *, doc: str, docs: Mapping[str, str] = MappingProxyType({}),
    more: Sequence[Register | Window] = (), parameters: WriteVerifyParameters | None = None, products: bool = True,
    lock: str | None = None, roomy: bool = False, pulses: bool = False,
) -> RegisterMap:
    """Registers of a core. Every address is the same for every size of the core.

    Parameters
    ----------
    sha256
        Hash of the chip description.
    doc, docs
        What the core is, and by their names what fields and windows that every core has are in this kind.
    more
        What only this kind has.
    parameters
        Parameters of write-verify after reset. None: the core does not program its cells, the map has nothing of it.
    products
        The host asks for products; false: a program does, and the map has nothing of it.
    lock
        See :class:`RegisterMap`.
    roomy
        Its masks need more room: the windows of codes are behind, and addresses have more bits.
    pulses
        Runs of write-verify may be blind.
    """
    input_at, output_at, width = (0x2000, 0x2400, 14) if roomy else (0x800, 0xC00, ADDRESS_WIDTH)
    mvms = Field(name="value", width=32, doc="Operations since reset.")
    common: list[Register | Window] = [
        *_identity(shape.lines, sha256),
        *_control(write=parameters is not None),
        *_operation(),
        Register(name="mvms", address=0x040, fields=(mvms,), doc="Matrix-vector products."),
        *_counter("cycles_total", 0x048, "Clock cycles in which an operation was in progress"),
        *_counter("cycles_analog", 0x050, "Clock cycles of the operations at the macro's pins"),
        *_counter("cycles_hold", 0x058, "Clock cycles for which the macro held the core"),
        Window(
            name="masks", address=MASKS_AT, words=shape.setting_words, access=Access.W,
            doc=f"Eighteen masks of {shape.mask_words} words: 8 of word lines, 8 of converted lines, dead word lines, "
            "dead converted lines. Whole words only. An operation takes the masks as they are when it starts.",
        ),
        Window(
            name="input", address=input_at, words=shape.most_input_words, access=Access.W, byte_writes=True,
            doc="Input codes, four of 8 bits a word, lowest byte first.",
        ),
        Window(
            name="output", address=output_at, words=shape.output_words, access=Access.R,
            doc="Output codes, two of 16 bits a word, lowest first, two's complement, in half steps.",
        ),
    ]
    entries = [_documented(entry, docs) for entry in common]
    if parameters is not None:
        registers, windows = write_entries(shape.columns, parameters, _write_counters(), pulses=pulses)
        entries += [*registers, *windows]
    entries = sorted([*entries, *more], key=lambda entry: entry.address)
    return RegisterMap(
        name="core", doc=f"{doc} Words are 32 bits, little endian; addresses count bytes.",
        address_width=width, lock=lock, entries=tuple(entries if products else _without_products(entries)),
    )


def _documented(entry: Register | Window, docs: Mapping[str, str]) -> Register | Window:
    """An entry of every core as it is for one of a kind."""
    if isinstance(entry, Window):
        return replace(entry, doc=docs.get(entry.name, entry.doc))
    return replace(entry, fields=tuple(replace(field, doc=docs.get(field.name, field.doc)) for field in entry.fields))


_WORD = 0xFFFFFFFF


def operation_tasks(map: RegisterMap, base: int, descriptor: int, words: Sequence[int], outputs: int) -> list[Task]:
    """Accesses by which an operation is carried out.

    Two of them read: a word of ``status`` at the end (:func:`check_ended`), and ``outputs`` words of the result.

    Parameters
    ----------
    map, base
        Registers of the core, and where they begin.
    descriptor
        An :class:`mho.hw.core.layout.OpLayout`, whose bits but for step code and number are those of ``operation``.
    words
        What the operation takes.
    """
    layout = OpLayout()
    fields = layout.from_bits(descriptor)
    placed = {name: fields[name] for name in layout.operation}
    number = fields["op_id"]
    ends = {"done": 1, "error": 1, "overrun": 1}

    def at(name: str) -> int:
        return base + map[name].address

    return [
        *([Write(at("input"), list(words))] if len(words) else []),
        Write(at("operation"), [
            register_word(map, "operation", **placed), fields["step_code"], number & _WORD, number >> 32,
        ]),
        Write(at("control"), register_word(map, "control", start=1)),
        Poll(at("status"), register_word(map, "status", **ends)),
        Read(at("output"), outputs),
        Write(at("status"), register_word(map, "status", **ends)),
    ]


def check_ended(map: RegisterMap, status: int) -> str:
    """What went wrong with an operation whose ``status`` this was; empty if nothing did."""
    for name, why in (("overrun", "was asked for an operation while it could take none"),
                      ("error", "was asked for an operation that is not legal")):
        if status & register_word(map, "status", **{name: 1}):
            return why
    return ""
