"""What the host has of every core, whoever asks it for products: all but products."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from mho.hw.core.bring_up.trim import trim_fields
from mho.hw.core.config import CoreConfig
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.host.core.manual_host import add_manual
from mho.hw.host.core.trim_map import TRIM_PLACES
from mho.hw.host.core.write_host import add_write_verify

__all__ = ["connect_core"]


def connect_core(m: Module, cfg: CoreConfig, write: WriteVerifyConfig | None, bank: Any, core: Any) -> Value | None:
    """Connect the registers of masks, trim, manual mode, write-verify and counters in the module ``m`` of a host.

    Parameters
    ----------
    cfg, write
        Configuration of the core, and of write-verify if the core programs its cells.
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    core
        What has the members of :func:`mho.hw.core.port.core_port`, flipped; its ``soft_reset`` empties the queues.

    Returns
    -------
    Value or None
        Interrupt of write-verify, if there is that.
    """
    _masks(m, bank, core)
    _trim(m, cfg, write, bank, core)
    if cfg.manual:
        add_manual(m, bank, core.manual, write=write is not None)
    _counters(m, write, bank, core)
    return None if write is None else add_write_verify(m, write, bank, core, core.soft_reset)


def _masks(m: Module, bank: Any, core: Any) -> None:
    """Masks from the bank of registers to what has the members of a vector port, flipped."""
    m.d.comb += [
        core.mask.valid.eq(bank.masks.enable), core.mask.p.addr.eq(bank.masks.address),
        core.mask.p.data.eq(bank.masks.data), bank.masks.ready.eq(core.mask.ready),
    ]


def _trim(m: Module, cfg: CoreConfig, write: WriteVerifyConfig | None, bank: Any, core: Any) -> None:
    """Durations and limits, where they are registers."""
    for field in trim_fields(cfg, write):
        register, name = TRIM_PLACES[field.name]
        m.d.comb += core.trim[field.name].eq(getattr(getattr(bank, register), name))


def _counters(m: Module, write: WriteVerifyConfig | None, bank: Any, core: Any) -> None:
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
