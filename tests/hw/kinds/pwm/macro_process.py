"""A process that is a phase-change macro at the pins of a core, for benches in Amaranth's simulator."""

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.pins import engine_pins
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, LEVEL_BITS, unpack_trim

__all__ = ["macro_process"]


def macro_process(
    core: Any, cfg: PwmCoreConfig, model: Any, hold: Callable[[], int] = lambda: 0, rows: Any = None
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """A macro that takes the widths of the pulses cycle by cycle, and counts as ``model`` does, a core of its kind.

    ``rows`` are its devices where they are programmed (:class:`mho.macro_models.pwm.programming.ProgrammedRows`).
    """
    pins, n = core.macro, cfg.lines

    async def process(ctx: Any) -> None:
        widths = np.zeros((2, n), dtype=np.int64)
        trims, counters = np.zeros(n, dtype=np.int64), np.zeros((2, n), dtype=np.int64)
        captured, frozen = counters, 0
        device = _Device(core, cfg, model, rows)
        ticks = ctx.tick().sample(
            pins.start, pins.capture, pins.row_pos, pins.row_neg, pins.count_row, pins.trim_write, pins.trim_column,
            pins.trim_data, pins.wl_en, pins.step_code, pins.shift, pins.op_id, *device.pins,
        )
        async for sampled in ticks:
            start, capture, pos, neg, row, trim_write, column, trim, wl, step_code, shift, op_id, *more = sampled[2:]
            if trim_write:
                trims[column] = trim
            if start:
                widths[:] = 0
            if not frozen:
                widths += [_bits(pos, n), _bits(neg, n)]
            device.step(trims, _bits(wl, cfg.mask_lines), more)
            if capture and (converted := device.counts(op_id, step_code)) is not None:
                captured = converted
            elif capture:
                captured = _counters(cfg, model, trims, widths, _bits(wl, cfg.mask_lines), op_id, step_code, shift)
            for pin, counts in zip((pins.count_pos, pins.count_neg), captured, strict=True):
                group = counts[row * cfg.lanes : (row + 1) * cfg.lanes].tolist()
                ctx.set(pin, sum(count << COUNTER_BITS * k for k, count in enumerate(group)))
            frozen = hold()
            ctx.set(pins.hold, frozen)

    return process


class _Device:
    """What the engine asks of a macro beside products: reference currents, pulses, reads of one device a column."""

    def __init__(self, core: Any, cfg: PwmCoreConfig, model: Any, rows: Any) -> None:
        self._cfg, self._model, self._rows = cfg, model, rows
        names = ("reference", "reference_pos", "reference_neg")
        names += ("verify", *engine_pins(cfg)) if cfg.engine else ()
        self.pins = [getattr(core.macro, name) for name in names]
        """Pins whose values :meth:`step` takes."""
        self._amplitude = np.zeros(cfg.lines, dtype=np.int64)
        self._line, self._trim, self._pulsed = 0, unpack_trim(np.zeros(cfg.lines, dtype=np.int64)), 0
        self._values: list[int] = []

    def step(self, trims: NDArray[np.int64], wl: NDArray[np.bool_], values: list[int]) -> None:
        """One cycle."""
        self._trim, self._values = unpack_trim(trims), values
        if not self._cfg.engine:
            return
        write, column, amplitude, pulse = values[4:]
        if wl.sum() == 1:
            self._line = int(np.flatnonzero(wl)[0])
        if write:
            self._amplitude[column] = amplitude
        if pulse and not self._pulsed:
            self._rows.pulse(self._line, self._amplitude & 0xFF, self._amplitude >= 256)
        self._pulsed = pulse

    def counts(self, op_id: int, step_code: int) -> NDArray[np.int64] | None:
        """Counters, if the conversion is no product."""
        reference, *quarters = self._values[:3]
        if reference:
            levels = [quarter * ((self._cfg.top_counts << LEVEL_BITS) // 4) for quarter in quarters]
            return np.concatenate(self._model.reference_counts(self._trim, *levels, op_id)).astype(np.int64)
        if self._cfg.engine and self._values[3]:
            read = self._rows.read_numbered(self._line, op_id, step_code)
            return np.stack([read, np.zeros_like(read)])
        return None


def _counters(
    cfg: PwmCoreConfig, model: Any, trims: NDArray[np.int64], widths: NDArray[np.int64], wl: NDArray[np.bool_],
    op_id: int, step_code: int, shift: int,
) -> NDArray[np.int64]:
    """Counters of both oscillators, (2, columns), of a product whose pulses were so wide, in cycles.

    A pulse of a product of one window, or of four, is seen in the windows of its sign: in two of four.
    """
    x = (widths[0] - widths[1]) // (cfg.lsb_cycles * (2 if cfg.phases > 1 else 1) << shift)
    calibration = model.calibration
    model.calibration = type(calibration)(
        trim=unpack_trim(trims), digital=calibration.digital, range_code=calibration.range_code
    )
    counters = model.counters(model.key(wl), x[None], np.array([op_id], dtype=np.uint64), step_code)
    model.calibration = calibration
    return np.concatenate(counters).astype(np.int64)


def _bits(value: int, count: int) -> NDArray[np.bool_]:
    return (np.array([value >> k & 1 for k in range(count)])).astype(np.bool_)
