"""What of a core can be trimmed after silicon: durations of analog operations, and limits of the converters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from amaranth.lib import data
from amaranth.lib.wiring import In

from mho.hw.core.shape import duration_bits
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds.tnsa.config import LIMITS, OPERATIONS, TnsaCoreConfig
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TrimField:
    """One value that can be trimmed, from ``least`` to ``most``; ``reset`` is that of the chip description.

    Durations are in clock cycles, their registers :func:`mho.hw.core.shape.duration_bits` wide.
    """

    name: str
    reset: int
    least: int
    most: int

    @property
    def width(self) -> int:
        """Bits of its register."""
        return self.most.bit_length()

    def saturated(self, value: int) -> int:
        """The value that is in force after ``value`` was written."""
        return min(max(value, self.least), self.most)


def trim_fields(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> tuple[TrimField, ...]:
    """What can be trimmed of a core and of its write-verify; nothing if ``cfg.trim`` is not set."""
    if not cfg.trim:
        return ()
    durations = [(name, getattr(cfg, name), cfg.least(name)) for name in OPERATIONS]
    if write is not None:
        durations += [(name, getattr(write, name), write.least(name)) for name in write.duration_bits]
    fields = [
        TrimField(name=name, reset=reset, least=least, most=2 ** duration_bits(reset) - 1)
        for name, reset, least in durations
    ]
    limits = (TrimField(name=name, reset=getattr(cfg, name), least=1, most=most) for name, most in LIMITS.items())
    return (*fields, *limits)


class TrimLayout(data.StructLayout):
    """Layout of the values, least significant field first, each in its range."""

    def __init__(self, cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.fields = trim_fields(cfg, write)
        super().__init__({field.name: field.width for field in self.fields})

    @property
    def at_reset(self) -> dict[str, int]:
        """The values of the chip description."""
        return {field.name: field.reset for field in self.fields}

    def pack(self, values: Mapping[str, int]) -> int:
        """The values, those that are not named as in the chip description, as an integer."""
        return self.const({**self.at_reset, **values}).as_bits()  # pyright: ignore[reportArgumentType]


class DurationLayout(data.StructLayout):
    """Of :class:`TrimLayout`, the durations of the operations of a product."""

    def __init__(self, cfg: TnsaCoreConfig) -> None:
        super().__init__({field.name: field.width for field in trim_fields(cfg) if field.name in OPERATIONS})


def trim_port(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> dict[str, Any]:
    """The member ``trim`` of a vector port, of a core that has it; as after reset where nothing drives it."""
    layout = TrimLayout(cfg, write)
    return {"trim": In(layout, init=layout.at_reset)} if cfg.trim else {}  # pyright: ignore[reportCallIssue]


def trimmed(cfg: TnsaCoreConfig, values: Mapping[str, int], write: WriteVerifyConfig | None = None) -> TnsaCoreConfig:
    """The core as it is after these values were written, for references; they saturate as in the registers.

    Raises InputError if one cannot be trimmed.
    """
    fields = {field.name: field for field in trim_fields(cfg, write)}
    for name in values:
        if name not in fields:
            raise InputError(f"a trimmed value must be one of {', '.join(fields) or 'none'}, not {name!r}")
    return replace(cfg, **{n: fields[n].saturated(v) for n, v in values.items() if hasattr(cfg, n)})
