"""Registers of a transposable core: what can be trimmed, manual mode, and those that every core has."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.map import core_map
from mho.hw.host.core.write_map import CODE_BITS
from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window
from mho.hw.kinds.tnsa.bring_up.manual import PULSE_BITS, ROWS
from mho.hw.kinds.tnsa.bring_up.trim import TrimField, trim_fields
from mho.hw.kinds.tnsa.config import TnsaCoreConfig

_ROW_DOCS = {
    "positive": "Lines that are driven to V_ref + V_read: bit lines, or source lines with `backward`. With "
    "`write_mode` the selected bit lines.",
    "negative": "Lines that are driven to V_ref - V_read, unless they are driven to the other. With `write_mode` the "
    "selected source lines.",
    "word_lines": "Word lines that are pulsed while sampling. With `write_mode` the selected word lines.",
}


def _rw(name: str, width: int, doc: str, **more: Any) -> Field:
    return Field(name=name, width=width, access=Access.RW, doc=doc, **more)


def _strobe(name: str, doc: str, width: int = 1) -> Field:
    return Field(name=name, width=width, access=Access.W, doc=doc)


def manual_entries(lines: int, *, write: bool) -> tuple[Register | Window, ...]:
    """Registers and windows of manual mode; ``write``: the core programs its cells."""
    mode = (_rw("write_mode", 1, "The array is in write mode: the vectors are those of programming. They become 0 "
                "when this changes."),)
    return (
        Register(name="manual_control", address=0x140, locked=True, doc="Manual mode.", fields=(
            _rw("enable", 1, "Take the pins when the core is idle; operations and runs wait until this is 0."),
        )),
        Register(name="manual_status", address=0x144, doc="State, and what the macro drives, as the core sees it.",
                 fields=_status(write=write)),
        Register(name="manual_levels", address=0x148, doc="Pins that stay as they are written.", fields=(
            _rw("backward", 1, "Source lines are driven."), _rw("latch", 1, "With a compare: keep the direction."),
            _rw("plane", 3, "Binary weight of the plane."), _rw("dec_scale", 3, "Binary weight of a decrement."),
            *(mode if write else ()),
        )),
        Register(name="manual_amounts", address=0x14C, doc="Amounts of charge and of voltage.", fields=(
            _rw("step_code", 16, "Charge of one decrement in V_read / 2**14."),
            *((_rw("amplitude", 8, "Amplitude of a pulse in steps of the pulse converter."),) if write else ()),
        )),
        *((_pulse_time(),) if write else ()),
        Register(name="manual_strobe", address=0x154, fields=_strobes(write=write),
                 doc="Strobes of one cycle, and pulses. Taken in manual mode only."),
        *(
            Window(
                name=f"manual_{row}", address=0x180 + 0x20 * number, words=-(-lines // 32), access=Access.W,
                doc=f"{_ROW_DOCS[row]} Line 0 in bit 0 of the first word. Whole words only; 0 when manual mode begins.",
            )
            for number, row in enumerate(ROWS)
        ),
        Window(
            name="manual_cmp", address=0x1E0, words=-(-lines // 32), access=Access.R,
            doc="The comparators: 1 where the charge of a line is negative. Line 0 in bit 0 of the first word.",
        ),
    )


def _pulse_time() -> Register:
    longest = 2**PULSE_BITS - 1
    width = _rw("pulse_cycles", PULSE_BITS, f"Clock cycles, 1 to {longest}.", reset=1, least=1, most=longest)
    return Register(name="manual_pulse_time", address=0x150, doc="Width of a pulse.", fields=(width,))


def _status(*, write: bool) -> tuple[Field, ...]:
    more = (Field(name="verify_valid", doc="Pin `verify_valid`."),
            Field(name="verify_code", width=CODE_BITS, doc="Pin `verify_code`."))
    return (
        Field(name="active", doc="The registers below drive the macro's pins."),
        Field(name="pulsing", doc="A pulse is on."), Field(name="hold", doc="Pin `hold`."), *(more if write else ()),
    )


def _strobes(*, write: bool) -> tuple[Field, ...]:
    more = (
        _strobe("verify", "Verify read, in write mode and while no pulse is on or begins."),
        _strobe("pulse", "A pulse begins, in write mode: 1 SET, 2 RESET, 3 FORM. Only while programming is enabled by "
                "the pin `programming_enable`; one that is taken away ends the pulse, and no other begins until "
                "`write_mode` was 0.", width=2),
    )
    return (
        _strobe("precharge", "Pin `precharge`."), _strobe("sample", "Pin `sample`."),
        _strobe("compare", "Pin `compare`."),
        _strobe("decrement", "Pin `decrement`. None of these four in write mode."), *(more if write else ()),
    )


LOCK = "trim_lock"
"""Register that locks the others."""

_BASE = 0x100

_DURATIONS = (
    ("reset_cycles", "precharge", "Precharge of lines and sampling capacitors, discharge of integrators."),
    ("plane_cycles", "plane", "From a plane on the line registers to its first sample."),
    ("sample_cycles", "sample", "One sample."),
    ("compare_cycles", "compare", "One comparison, with the latency of a synchroniser."),
    ("decrement_cycles", "decrement", "One decrement."),
    ("setup_cycles", "setup", "From a new amplitude to the pulse."),
    ("verify_cycles", "verify", "Shortest verify read, settling included, with the latency of a synchroniser."),
)
_LIMITS = "operation_limits"
_LIMIT_DOCS = {"most_in_bits": "Bits of an input code", "most_out_bits": "Bits of an output code"}

TRIM_PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {name: (f"{short}_time", f"{short}_cycles") for name, short, _ in _DURATIONS}
    | {name: (_LIMITS, name) for name in _LIMIT_DOCS}
)
"""Register and field of each :class:`mho.hw.kinds.tnsa.bring_up.trim.TrimField`."""


def trim_entries(values: Sequence[TrimField]) -> tuple[Register, ...]:
    """Registers of a core that can be trimmed; their addresses do not depend on what there is of them."""
    by_name = {value.name: value for value in values}
    if not by_name:
        return ()

    def field(name: str, doc: str) -> Field:
        value = by_name[name]
        return Field(
            name=TRIM_PLACES[name][1], width=value.width, access=Access.RW, reset=value.reset, least=value.least,
            most=value.most, doc=f"{doc}, {value.least} to {value.most}.",
        )

    lock = Field(name="lock", access=Access.RW1S, doc="1: durations, limits, and amplitudes, widths and limits of "
                 "pulses keep their values until the reset of the clock.")
    durations = (
        Register(
            name=f"{short}_time", address=_BASE + 4 * (1 + k), fields=(field(name, "Clock cycles"),), locked=True,
            doc=f"{doc} In force from the next {'operation' if k < 5 else 'run'} on. A value that is out of range "
            "becomes the nearest that is not.",
        )
        for k, (name, short, doc) in enumerate(_DURATIONS)
        if name in by_name
    )
    limits = tuple(field(name, doc) for name, doc in _LIMIT_DOCS.items())
    return (
        Register(name=LOCK, address=_BASE, fields=(lock,), doc="Locks what was trimmed."),
        *durations,
        Register(
            name=_LIMITS, address=_BASE + 4 * (1 + len(_DURATIONS)), fields=limits, locked=True,
            doc="The widest operation that is legal; a wider one sets `status.error`.",
        ),
    )


_USUAL = WriteVerifyParameters()
_TRIM = trim_fields(TnsaCoreConfig(trim=True), WriteVerifyConfig(trim=True))

_DOCS = {
    "lines": "Bit lines, source lines and word lines.",
    "backward": "0: bit lines are driven; 1: source lines are driven.",
    "binary": "0: counting converter; 1: binary search.",
    "relu": "Negative outputs are 0 (one conversion only).",
    "early_stop": "Counting ends when every enabled line has flipped.",
    "wl_select": "Word-line mask.", "line_select": "Mask of converted lines.",
    "step_code": "Charge of one decrement in V_read / 2**14, at least 1.",
    "masks": "Eighteen masks of as many bits as there are lines: 8 of word lines, 8 of converted lines, dead bit "
    "lines, dead source lines. Whole words only. An operation takes the masks as they are when it starts.",
    "input": "Input codes, four of 8 bits a word, lowest byte first: half as many as there are lines forward, as many "
    "as there are lines backward.",
}


def chip_map(chip: Chip, *, products: bool = True) -> RegisterMap:
    """Registers of a chip's core; ``products`` as at :func:`mho.hw.host.core.map.core_map`."""
    chip = PulseChip.of(chip)
    engine = chip.programming.engine
    parameters = WriteVerifyParameters.from_chip(chip) if engine else None
    trim = trim_fields(TnsaCoreConfig.from_chip(chip), WriteVerifyConfig.from_chip(chip) if engine else None)
    return tnsa_map(chip.lines, chip.sha256, parameters, trim, products=products, manual=chip.core.manual,
                    pulses=chip.programming.pulses)


def tnsa_map(
    lines: int, sha256: str = "0" * 64, parameters: WriteVerifyParameters | None = _USUAL,
    trim: Sequence[TrimField] = _TRIM, *, products: bool = True, manual: bool = False, pulses: bool = False,
) -> RegisterMap:
    """Registers of a core of ``lines`` lines; what is not said here is as at :func:`mho.hw.host.core.map.core_map`.

    Parameters
    ----------
    trim
        What can be trimmed, see :func:`mho.hw.kinds.tnsa.bring_up.trim.trim_fields`.
    manual
        The core has manual mode.
    """
    write = parameters is not None
    return core_map(
        TnsaCoreConfig(lines=lines), sha256, doc="One transposable core.", docs=_DOCS, parameters=parameters,
        more=(*trim_entries(trim), *(manual_entries(lines, write=write) if manual else ())), products=products,
        lock=LOCK if trim else None, pulses=pulses,
    )
