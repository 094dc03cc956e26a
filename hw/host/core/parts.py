"""What the host has of every core, whoever asks it for products: all but products."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from mho.hw.host.core.write_host import add_write_verify


def connect_core(m: Module, blocks: Any, bank: Any, core: Any) -> Value | None:
    """Connect the registers of masks, of the kind, of counters and of write-verify in the module ``m`` of a host.

    Parameters
    ----------
    blocks
        The core (:class:`mho.hw.host.core.blocks.CoreBlocks`).
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    core
        What has the members of its vector port, flipped; its ``soft_reset`` empties the queues.

    Returns
    -------
    Value or None
        Interrupt of write-verify, if there is that.
    """
    m.d.comb += [
        core.mask.valid.eq(bank.masks.enable), core.mask.p.addr.eq(bank.masks.address),
        core.mask.p.data.eq(bank.masks.data), bank.masks.ready.eq(core.mask.ready),
    ]
    blocks.connect(m, bank, core)
    write = blocks.write
    counters = {name: getattr(core.status, name) for name in ("cycles_total", "cycles_analog", "cycles_hold")}
    if write is not None:
        counters |= {f"write_{name}": getattr(core.write_status, name) for name in ("cycles_total", "cycles_hold")}
    m.d.comb += bank.mvms.value.eq(core.status.mvms)
    _counters(m, bank, counters)
    return None if write is None else add_write_verify(m, write, bank, core, core.soft_reset)


def _counters(m: Module, bank: Any, counters: dict[str, Value]) -> None:
    """Counters of 48 bits in two reads: the upper part is kept when the lower is read."""
    kept = Signal(16)
    for name, counter in counters.items():
        low, high = getattr(bank, f"{name}_low"), getattr(bank, f"{name}_high")
        m.d.comb += [low.value.eq(counter[:32]), high.value.eq(kept)]
        with m.If(low.read):
            m.d.sync += kept.eq(counter[32:])
