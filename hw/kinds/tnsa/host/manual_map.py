"""Registers of manual mode: the macro's pins driven and read by software, for bring-up."""

from typing import Any

from mho.hw.host.core.write_map import CODE_BITS
from mho.hw.host.registers import Access, Field, Register, Window
from mho.hw.kinds.tnsa.bring_up.manual import PULSE_BITS, ROWS

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
