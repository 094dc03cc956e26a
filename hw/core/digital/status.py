"""What a core says of itself, counted."""

from typing import Any

from amaranth.hdl import Module, Value

from mho.hw.core.counting import tally


def count_operations(
    m: Module, status: Any, sequencer: Any, *, hold: Value, busy: Value, error: Value, converted: Value, done: Value
) -> None:
    """Drive the members of :class:`mho.hw.core.port.CoreStatus`.

    Parameters
    ----------
    sequencer
        What has ``running`` and ``analog``.
    converted, done
        A conversion ended; an operation did, which is seen a cycle later.
    """
    m.d.comb += status.busy.eq(busy)
    m.d.sync += status.done.eq(done)
    with m.If(error):
        m.d.sync += status.error.eq(1)
    with m.If(converted):
        m.d.sync += status.mvms.eq(status.mvms + 1)
    tally(m, status.cycles_total, sequencer.running, "total")
    tally(m, status.cycles_analog, sequencer.analog & ~hold, "analog")
    tally(m, status.cycles_hold, sequencer.analog & hold, "hold")
