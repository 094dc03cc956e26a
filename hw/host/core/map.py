"""Registers of one core behind a bus."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mho.hw.config import Chip, PulseChip
from mho.hw.core.bring_up.trim import TrimField, trim_fields
from mho.hw.core.config import MASKS, CoreConfig
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.manual_map import manual_entries
from mho.hw.host.core.trim_map import LOCK, trim_entries
from mho.hw.host.core.write_map import write_entries
from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window

__all__ = ["ADDRESS_WIDTH", "MAGIC", "MAP_VERSION", "chip_map", "core_map"]

ADDRESS_WIDTH = 12
"""Bits of a byte address: 4 KiB for one core of any size."""

MAGIC = 0x6D68
"""What identifies a core: ``mh``."""

MAP_VERSION = 1
"""Grows when a register moves or changes its meaning."""


_USUAL = WriteVerifyParameters()
_TRIM = trim_fields(CoreConfig(trim=True), WriteVerifyConfig(trim=True))


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
        Register(name="id", address=0x000, doc="What this is.", fields=(
            Field(name="magic", width=16, reset=MAGIC, constant=True, doc="Identifies a core: `0x6d68`."),
            Field(name="version", width=16, reset=MAP_VERSION, constant=True, doc="Version of this map."),
        )),
        Register(name="geometry", address=0x004, doc="Size of the core.", fields=(
            Field(name="lines", width=16, reset=lines, constant=True, doc="Bit lines, source lines and word lines."),
        )),
        Register(name="description", address=0x008, doc="Which chip description this was generated from.", fields=(
            Field(name="hash", width=32, reset=int(sha256[:8], 16), constant=True, doc="First 32 bits of its SHA-256."),
        )),
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
            Field(name="backward", access=rw, doc="0: bit lines are driven; 1: source lines are driven."),
            Field(name="in_bits", width=4, access=rw, reset=4, doc="Bits of an input code, 1 to 8."),
            Field(name="in_signed", access=rw, reset=1, doc="Input codes are two's complement."),
            Field(name="out_bits", width=4, access=rw, reset=8, doc="Bits of an output code, 1 to 8."),
            Field(name="binary", access=rw, doc="0: counting converter; 1: binary search."),
            Field(name="relu", access=rw, doc="Negative outputs are 0 (one conversion only)."),
            Field(name="early_stop", access=rw, reset=1, doc="Counting ends when every enabled line has flipped."),
            Field(name="wl_select", width=3, access=rw, doc="Word-line mask."),
            Field(name="line_select", width=3, access=rw, doc="Mask of converted lines."),
            Field(name="mode", width=3, access=rw, doc="0; others are reserved and refused."),
        )),
        Register(name="step", address=0x024, doc="The converter's step.", fields=(
            Field(name="step_code", width=16, access=rw, reset=256, doc="Charge of one decrement in V_read / 2**14, "
                  "at least 1."),
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


def chip_map(chip: Chip, *, products: bool = True) -> RegisterMap:
    """Registers of a chip's core; ``products`` as at :func:`core_map`."""
    chip = PulseChip.of(chip)
    engine = chip.programming.engine
    parameters = WriteVerifyParameters.from_chip(chip) if engine else None
    trim = trim_fields(CoreConfig.from_chip(chip), WriteVerifyConfig.from_chip(chip) if engine else None)
    return core_map(chip.lines, chip.sha256, parameters, trim, products=products, manual=chip.core.manual)


def core_map(
    lines: int, sha256: str = "0" * 64, parameters: WriteVerifyParameters | None = _USUAL,
    trim: Sequence[TrimField] = _TRIM, *, products: bool = True, manual: bool = False,
) -> RegisterMap:
    """Registers of a core of ``lines`` lines. Every address is the same for every size of the core.

    Parameters
    ----------
    sha256
        Hash of the chip description.
    parameters
        Parameters of write-verify after reset. None: the core does not program its cells, the map has nothing of it.
    trim
        What can be trimmed, see :func:`mho.hw.core.bring_up.trim.trim_fields`.
    products
        The host asks for products; false: a program does, and the map has nothing of it.
    manual
        The core has manual mode.
    """
    write, windows = ((), ()) if parameters is None else write_entries(lines, parameters, _write_counters())
    targets, results, faults = ([window] for window in windows) if windows else ([], [], [])
    mvms = Field(name="value", width=32, doc="Operations since reset.")
    entries: list[Register | Window] = [
        *_identity(lines, sha256),
        *_control(write=parameters is not None),
        *_operation(),
        Register(name="mvms", address=0x040, fields=(mvms,), doc="Matrix-vector products."),
        *_counter("cycles_total", 0x048, "Clock cycles in which an operation was in progress"),
        *_counter("cycles_analog", 0x050, "Clock cycles of the operations at the macro's pins"),
        *_counter("cycles_hold", 0x058, "Clock cycles for which the macro held the core"),
        *write,
        *trim_entries(trim),
        *(manual_entries(lines, write=parameters is not None) if manual else ()),
        Window(
            name="masks", address=0x400, words=MASKS * max(lines // 32, 1), access=Access.W,
            doc="Eighteen masks of as many bits as there are lines: 8 of word lines, 8 of converted lines, dead "
            "bit lines, dead source lines. Whole words only. An operation takes the masks as they are when it "
            "starts.",
        ),
        *targets,
        Window(
            name="input", address=0x800, words=lines // 4, access=Access.W, byte_writes=True,
            doc="Input codes, four of 8 bits a word, lowest byte first: half as many as there are lines forward, "
            "as many as there are lines backward.",
        ),
        *results,
        *faults,
        Window(
            name="output", address=0xC00, words=lines // 2, access=Access.R,
            doc="Output codes, two of 16 bits a word, lowest first, two's complement, in half steps.",
        ),
    ]
    return RegisterMap(
        name="core",
        doc="One transposable core. Words are 32 bits, little endian; addresses count bytes.",
        address_width=ADDRESS_WIDTH,
        lock=LOCK if trim else None,
        entries=tuple(entries if products else _without_products(entries)),
    )
