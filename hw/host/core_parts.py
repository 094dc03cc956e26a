"""What the host has of every core, whoever asks it for products: masks, trim, counters."""

from typing import Any

from amaranth.hdl import Module, Signal

from hw.core.config import CoreConfig
from hw.core.trim import trim_fields
from hw.core.write_verify import WriteVerifyConfig
from hw.host.trim_map import TRIM_PLACES

__all__ = ["connect_counters", "connect_masks", "connect_trim"]


def connect_masks(m: Module, bank: Any, core: Any) -> None:
    """Masks from the bank of registers to what has the members of a vector port, flipped."""
    m.d.comb += [
        core.mask.valid.eq(bank.masks.enable), core.mask.p.addr.eq(bank.masks.address),
        core.mask.p.data.eq(bank.masks.data), bank.masks.ready.eq(core.mask.ready),
    ]


def connect_trim(m: Module, cfg: CoreConfig, write: WriteVerifyConfig | None, bank: Any, core: Any) -> None:
    """Durations and limits, where they are registers."""
    for field in trim_fields(cfg, write):
        register, name = TRIM_PLACES[field.name]
        m.d.comb += core.trim[field.name].eq(getattr(getattr(bank, register), name))


def connect_counters(m: Module, write: WriteVerifyConfig | None, bank: Any, core: Any) -> None:
    """Operations, and cycles in counters of 48 bits in two reads: the upper part is kept when the lower is read."""
    counters = {name: getattr(core.status, name) for name in ("cycles_total", "cycles_analog", "cycles_hold")}
    if write is not None:
        counters |= {f"write_{name}": getattr(core.write_status, name) for name in ("cycles_total", "cycles_hold")}
    kept = Signal(16)
    m.d.comb += bank.mvms.value.eq(core.status.mvms)
    for name, counter in counters.items():
        low, high = getattr(bank, f"{name}_low"), getattr(bank, f"{name}_high")
        m.d.comb += [low.value.eq(counter[:32]), high.value.eq(kept)]
        with m.If(low.read):
            m.d.sync += kept.eq(counter[32:])
