"""Manual mode behind a register bus."""

from typing import Any

from amaranth.hdl import Module, Mux, Value

from mho.hw.kinds.tnsa.bring_up.manual import ROWS


def add_manual(m: Module, bank: Any, port: Any, *, write: bool) -> None:
    """Connect the registers of :mod:`mho.hw.kinds.tnsa.host.map` with the member ``manual`` of a vector port.

    Parameters
    ----------
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    port
        The other end of :class:`mho.hw.kinds.tnsa.bring_up.manual.ManualPort`.
    write
        The core programs its cells.
    """
    status, levels, strobes = bank.manual_status, port.levels, port.strobes
    m.d.comb += [
        port.request.eq(bank.manual_control.enable), status.active.eq(port.active), status.pulsing.eq(port.pulsing),
        status.hold.eq(port.hold), levels.step_code.eq(bank.manual_amounts.step_code),
        *(levels[name].eq(getattr(bank.manual_levels, name)) for name in ("backward", "latch", "plane", "dec_scale")),
    ]
    names = ["precharge", "sample", "compare", "decrement"]
    if write:
        names += ["verify", "pulse"]
        m.d.comb += [
            levels.write_mode.eq(bank.manual_levels.write_mode), levels.amplitude.eq(bank.manual_amounts.amplitude),
            levels.pulse_cycles.eq(bank.manual_pulse_time.pulse_cycles),
            status.verify_valid.eq(port.verify_valid), status.verify_code.eq(port.verify_code),
        ]
    m.d.comb += [strobes[name].eq(getattr(bank.manual_strobe, name)) for name in names]
    row: Value | int = 0
    word, data = bank.manual_positive.address, bank.manual_positive.data
    for number, name in enumerate(ROWS):
        window = getattr(bank, f"manual_{name}")
        m.d.comb += window.ready.eq(1)
        row = Mux(window.enable, number, row)
        if number:
            word, data = Mux(window.enable, window.address, word), Mux(window.enable, window.data, data)
    enabled = [getattr(bank, f"manual_{name}").enable for name in ROWS]
    answers = bank.manual_cmp
    m.d.comb += [
        port.row_enable.eq(enabled[0] | enabled[1] | enabled[2]), port.row.eq(row), port.row_word.eq(word),
        port.row_data.eq(data), port.cmp_word.eq(answers.address), answers.data.eq(port.cmp_data), answers.ready.eq(1),
    ]
