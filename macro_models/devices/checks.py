"""Values of a device file that are legal each by itself but not together."""

from itertools import pairwise

from mho.macro_models.compact.models import compact_model
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.memory import MOST_WEIGHTS
from mho.macro_models.devices.quantiles import NODES
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import shown


def check_whole(device: Device, where: str) -> None:
    """Refuse values that are legal each by itself but not together."""
    limits, data = device.range, device.relaxation
    if limits.g_min_uS > limits.g_max_uS:
        raise InputError(
            f"{where}: range.g_min_uS must be at most g_max_uS = {limits.g_max_uS:g}, not {limits.g_min_uS:g}"
        )
    noise = device.read_noise
    if noise.generator == "lfsr" and (noise.telegraph_uS or noise.flicker_uS):
        raise InputError(f"{where}: read_noise.generator must be cells where telegraph_uS or flicker_uS are given")
    if noise.generator == "lfsr" and len(noise.sigma_uS) > 1:
        raise InputError(
            f"{where}: read_noise.sigma_uS must be one number where a shift register makes the noise, the same for all "
            f"conductances, not {shown(device.read_noise.sigma_uS)}"
        )
    _check_telegraph(device, where)
    if device.law.model:
        _check_law(device.law, where)
    fit = device.fit
    for key in ("level_n", "level_mean_uS", "level_std_uS") if fit.levels_uS else ():
        rows = getattr(fit, key)
        if len(rows) != len(fit.times_s) or any(len(row) != len(fit.levels_uS) for row in rows):
            raise InputError(
                f"{where}: fit.{key} must have {len(fit.times_s)} rows, one for each time, of {len(fit.levels_uS)} "
                "entries, one for each level"
            )
    _check_heat(device, where)
    _check_confidence(device, where)
    if device.compact.model:
        try:
            compact_model(device.compact.model, **device.compact.constants)
        except InputError as error:
            raise InputError(f"{where}: compact.constants: {error}") from None
    if any(later <= earlier for earlier, later in pairwise(data.times_s)):
        raise InputError(f"{where}: relaxation.times_s must increase, not {shown(data.times_s)}")
    if len(data.sigma_uS) != len(data.times_s):
        raise InputError(
            f"{where}: relaxation.sigma_uS must hold one polynomial for each of the {len(data.times_s)} times, "
            f"not {len(data.sigma_uS)}"
        )


def _check_telegraph(device: Device, where: str) -> None:
    """Refuse traps whose numbers do not fit together."""
    traps = device.telegraph
    if any(later < earlier for earlier, later in pairwise(traps.occupancy)):
        raise InputError(f"{where}: telegraph.occupancy must not decrease, not {shown(traps.occupancy)}")
    if traps.acts and device.read_noise.generator == "lfsr":
        raise InputError(f"{where}: read_noise.generator must be cells where [telegraph] has traps, not lfsr")


def _check_law(law: Law, where: str) -> None:
    """Refuse a law whose lists do not fit together."""
    for key in ("levels_uS", "times_s"):
        values = getattr(law, key)
        if not values or any(later <= earlier for earlier, later in pairwise(values)):
            raise InputError(f"{where}: law.{key} must not be empty and must increase, not {shown(values)}")
    if len(law.kept) != len(law.times_s):
        raise InputError(f"{where}: law.kept must have {len(law.times_s)} entries as times_s, not {len(law.kept)}")
    for key in ("die", "cell"):
        shares = getattr(law, key)
        if shares and len(shares) != len(law.times_s):
            raise InputError(f"{where}: law.{key} must have {len(law.times_s)} entries as times_s, not {len(shares)}")
    if law.memory:
        _check_memory(law, where)
    parametric = ("shift_uS", "low_uS", "high_uS", "low_tail", "high_tail", "low_ratio", "high_ratio")
    keys = parametric if law.model == "parametric" else ("quantiles_uS",)
    for key in (*keys, "lost") if law.lost else keys:
        rows = getattr(law, key)
        if len(rows) != len(law.times_s) or any(len(row) != len(law.levels_uS) for row in rows):
            raise InputError(
                f"{where}: law.{key} must have {len(law.times_s)} rows, one for each time, of {len(law.levels_uS)} "
                "entries, one for each level"
            )
    for t, row in enumerate(law.quantiles_uS):
        for k, values in enumerate(row):
            if len(values) not in NODES or any(b < a for a, b in pairwise(values)):
                counts = " or ".join(str(n) for n in NODES)
                raise InputError(f"{where}: law.quantiles_uS[{t}][{k}] must be {counts} numbers that do not decrease")
            if len(values) != len(law.quantiles_uS[0][0]):
                raise InputError(
                    f"{where}: law.quantiles_uS[{t}][{k}] must be as many numbers as [0][0] are, "
                    f"{len(law.quantiles_uS[0][0])}, not {len(values)}"
                )
    for side in ("low", "high"):
        ratios = [ratio for row in getattr(law, f"{side}_ratio") for ratio in row]
        tails = [tail for row in getattr(law, f"{side}_tail") for tail in row]
        if any(0.0 < ratio < 1.0 for ratio in ratios):
            raise InputError(f"{where}: law.{side}_ratio must be 0 or at least 1")
        if any(tail > 1.0 <= ratio for tail, ratio in zip(tails, ratios, strict=False)):
            raise InputError(f"{where}: law.{side}_tail must be at most 1 where law.{side}_ratio is not 0")


def _check_memory(law: Law, where: str) -> None:
    """Refuse weights that would change the law of a single time."""
    counts = {len(row) for row in law.memory}
    if len(law.memory) != len(law.times_s) or len(counts) != 1 or max(counts) > MOST_WEIGHTS:
        raise InputError(
            f"{where}: law.memory must have {len(law.times_s)} rows, one for each time, of as many weights, at most "
            f"{MOST_WEIGHTS}"
        )
    for t, row in enumerate(law.memory):
        power = sum(weight * weight for weight in row)
        if abs(power - 1.0) > 1e-3:
            raise InputError(f"{where}: law.memory[{t}] must have squares that sum to 1, not {power:.4g}")


def _check_confidence(device: Device, where: str) -> None:
    """Refuse errors that are not those of the law."""
    confidence, times, levels = device.confidence, len(device.law.times_s), len(device.law.levels_uS)
    if not confidence.cells:
        return
    if confidence.names:
        _check_movable(device, where)
        return
    shapes = {
        "mean_error_uS": (times, levels), "spread_error": (times, levels), "mean_memory": (times, times),
        "spread_memory": (times, times),
    }
    for key, (rows, columns) in shapes.items():
        entries = getattr(confidence, key)
        if len(entries) != rows or any(len(row) != columns for row in entries):
            raise InputError(f"{where}: confidence.{key} must have {rows} rows of {columns} entries")
    counts = {"level_cells": levels, **dict.fromkeys(
        ("die_mean_uS", "die_spread", "mean_low_uS", "mean_high_uS", "std_low_uS", "std_high_uS"), times
    )}
    for key, count in counts.items():
        entries = getattr(confidence, key)
        if len(entries) != count:
            raise InputError(f"{where}: confidence.{key} must have {count} entries, not {len(entries)}")


def _check_movable(device: Device, where: str) -> None:
    """Refuse errors of numbers that a law does not have."""
    confidence = device.confidence
    for name in confidence.names:
        if name not in type(device).MOVABLE:
            names = type(device).MOVABLE
            right = f'numbers of the law, as "{names[0]}" or "{names[-1]}"' if names else "empty for this law"
            raise InputError(f"{where}: confidence.names must be {right}, not {shown(name)}")
    count = len(confidence.names)
    if {len(confidence.errors), len(confidence.memory), *map(len, confidence.memory)} != {count}:
        raise InputError(f"{where}: confidence.errors and memory must have {count} entries, one for each of names")


def _check_heat(device: Device, where: str) -> None:
    """Refuse a section on temperature whose lists do not fit together, or do not fit the law."""
    heat, levels = device.heat, len(device.law.levels_uS)
    rows = len(heat.row_C)
    lists = {
        "row_s": rows,
        "kept": rows,
        "quantiles_uS": rows,
        "lost_part": len(heat.lost_s),
        "lost_levels": levels if heat.lost_s else 0,
        "coefficient": len(heat.reversible_uS),
        "coefficient_error": len(heat.reversible_uS),
    }
    for key, count in lists.items():
        if len(getattr(heat, key)) != count:
            raise InputError(f"{where}: heat.{key} must have {count} entries, not {len(getattr(heat, key))}")
    if bool(heat.reversible) != bool(heat.reversible_uS):
        raise InputError(f"{where}: heat.reversible_uS must have a target for each coefficient of heat.reversible")
    if (device.temperature.acts_on == "table") != bool(rows):
        raise InputError(
            f'{where}: temperature.acts_on must be "table" where heat.row_C has temperatures, and only there'
        )
    for key in ("reversible_uS", "lost_s"):
        if any(b <= a for a, b in pairwise(getattr(heat, key))) or min(heat.lost_s, default=1.0) <= 0.0:
            raise InputError(f"{where}: heat.{key} must increase, not {shown(getattr(heat, key))}")
    order = list(zip(heat.row_C, heat.row_s, strict=True))
    if any(b <= a for a, b in pairwise(order)) or device.law.temp_C in heat.row_C:
        raise InputError(f"{where}: heat.row_C, row_s must increase and leave out the law's {device.law.temp_C:g} C")
    nodes = device.law.table.shape[-1] if rows else 0
    for k, row in enumerate(heat.quantiles_uS):
        if len(row) != levels or any(len(v) != nodes or any(b < a for a, b in pairwise(v)) for v in row):
            raise InputError(
                f"{where}: heat.quantiles_uS[{k}] must be {levels} lists, one a level, of {nodes} numbers that do not "
                "decrease"
            )


CAUSES = ("programming", "relaxation", "read-noise", "wire", "adc", "stuck", "sensor")
"""Everything that makes a macro, or the sensor before it, differ from exact arithmetic; each can be switched off."""


def checked_causes(causes: frozenset[str] | None) -> frozenset[str]:
    """Causes that are switched on, all if not given; an :class:`InputError` that names one that there is not."""
    chosen = frozenset(CAUSES) if causes is None else frozenset(causes)
    unknown = sorted(chosen - set(CAUSES))
    if unknown:
        raise InputError(f"causes must be of {', '.join(CAUSES)}, not {unknown[0]}")
    return chosen
