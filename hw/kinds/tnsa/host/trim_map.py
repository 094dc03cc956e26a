"""Registers of what is trimmed after silicon: durations of analog operations, limits of the converters, a lock."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mho.hw.host.registers import Access, Field, Register
from mho.hw.kinds.tnsa.bring_up.trim import TrimField

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
