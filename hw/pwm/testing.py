"""A process that is a phase-change macro at the pins of a core, for benches in Amaranth's simulator."""

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.pwm.config import PwmCoreConfig
from macro_models.exact.pwm.converter import COUNTER_BITS
from macro_models.exact.pwm.trim_words import unpack_trim

__all__ = ["macro_process"]


def macro_process(
    core: Any, cfg: PwmCoreConfig, model: Any, hold: Callable[[], int] = lambda: 0
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """A macro that takes the widths of the pulses cycle by cycle, and counts as ``model`` does, a core of its kind."""
    pins, n = core.macro, cfg.lines

    async def process(ctx: Any) -> None:
        widths = np.zeros((2, n), dtype=np.int64)
        trims, counters = np.zeros(n, dtype=np.int64), np.zeros((2, n), dtype=np.int64)
        captured, frozen = counters, 0
        ticks = ctx.tick().sample(
            pins.start, pins.capture, pins.row_pos, pins.row_neg, pins.count_row, pins.trim_write, pins.trim_column,
            pins.trim_data, pins.wl_en, pins.step_code, pins.shift, pins.op_id,
        )
        async for _, _, start, capture, pos, neg, row, trim_write, column, trim, wl, step_code, shift, op_id in ticks:
            if trim_write:
                trims[column] = trim
            if start:
                widths[:] = 0
            if not frozen:
                widths += [_bits(pos, n), _bits(neg, n)]
            if capture:
                captured = _counters(cfg, model, trims, widths, _bits(wl, cfg.mask_lines), op_id, step_code, shift)
            for pin, counts in zip((pins.count_pos, pins.count_neg), captured, strict=True):
                group = counts[row * cfg.lanes : (row + 1) * cfg.lanes].tolist()
                ctx.set(pin, sum(count << COUNTER_BITS * k for k, count in enumerate(group)))
            frozen = hold()
            ctx.set(pins.hold, frozen)

    return process


def _counters(
    cfg: PwmCoreConfig, model: Any, trims: NDArray[np.int64], widths: NDArray[np.int64], wl: NDArray[np.bool_],
    op_id: int, step_code: int, shift: int,
) -> NDArray[np.int64]:
    """Counters of both oscillators, (2, columns), of a product whose pulses were so wide, in cycles.

    A pulse of a product of one window, or of four, is seen in the windows of its sign: in two of four.
    """
    x = (widths[0] - widths[1]) // (cfg.lsb_cycles * (2 if cfg.phases > 1 else 1) << shift)
    held = model.calibration
    model.calibration = type(held)(trim=unpack_trim(trims), digital=held.digital, range_code=held.range_code)
    found = model.counters(model.key(wl), x[None], np.array([op_id], dtype=np.uint64), step_code)
    model.calibration = held
    return np.concatenate(found).astype(np.int64)


def _bits(value: int, count: int) -> NDArray[np.bool_]:
    return (np.array([value >> k & 1 for k in range(count)])).astype(np.bool_)
