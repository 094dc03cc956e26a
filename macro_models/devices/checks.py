"""Values of a device file that are legal each by itself but not together."""

from collections.abc import Collection, Iterator, Sequence
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
    for wrong in _wrong(device):
        raise InputError(f"{where}: {wrong}")


def _wrong(device: Device) -> Iterator[str]:
    """What is wrong, a sentence each; what comes after one may rest on its not being so."""
    limits, noise, traps, fit, data = device.range, device.read_noise, device.telegraph, device.fit, device.relaxation
    if limits.g_min_uS > limits.g_max_uS:
        yield f"range.g_min_uS must be at most g_max_uS = {limits.g_max_uS:g}, not {limits.g_min_uS:g}"
    if noise.generator == "lfsr" and (noise.telegraph_uS or noise.flicker_uS):
        yield "read_noise.generator must be cells where telegraph_uS or flicker_uS are given"
    if noise.generator == "lfsr" and len(noise.sigma_uS) > 1:
        yield ("read_noise.sigma_uS must be one number where a shift register makes the noise, the same for all "
               f"conductances, not {shown(noise.sigma_uS)}")
    if any(b < a for a, b in pairwise(traps.occupancy)):
        yield f"telegraph.occupancy must not decrease, not {shown(traps.occupancy)}"
    if traps.acts and noise.generator == "lfsr":
        yield "read_noise.generator must be cells where [telegraph] has traps, not lfsr"
    if device.law.model:
        yield from _wrong_law(device.law)
    for key in ("level_n", "level_mean_uS", "level_std_uS") if fit.levels_uS else ():
        yield from _wrong_rows(f"fit.{key}", getattr(fit, key), fit.times_s, fit.levels_uS)
    yield from _wrong_heat(device)
    yield from _wrong_confidence(device)
    if device.compact.model:
        try:
            compact_model(device.compact.model, **device.compact.constants)
        except InputError as error:
            yield f"compact.constants: {error}"
    if not _increase(data.times_s):
        yield f"relaxation.times_s must increase, not {shown(data.times_s)}"
    if len(data.sigma_uS) != len(data.times_s):
        yield (f"relaxation.sigma_uS must hold one polynomial for each of the {len(data.times_s)} times, not "
               f"{len(data.sigma_uS)}")


def _increase(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _wrong_rows(
    key: str, rows: Sequence[Sequence[object]], times: Sequence[float], levels: Sequence[float]
) -> Iterator[str]:
    if len(rows) != len(times) or any(len(row) != len(levels) for row in rows):
        yield f"{key} must have {len(times)} rows, one for each time, of {len(levels)} entries, one for each level"


def _wrong_law(law: Law) -> Iterator[str]:
    times = len(law.times_s)
    for key in ("levels_uS", "times_s"):
        values = getattr(law, key)
        if not values or not _increase(values):
            yield f"law.{key} must not be empty and must increase, not {shown(values)}"
    for key in ("kept", "die", "cell"):
        shares = getattr(law, key)
        if len(shares) != times and (shares or key == "kept"):
            yield f"law.{key} must have {times} entries as times_s, not {len(shares)}"
    if law.memory:
        yield from _wrong_memory(law)
    parametric = ("shift_uS", "low_uS", "high_uS", "low_tail", "high_tail", "low_ratio", "high_ratio")
    keys = parametric if law.model == "parametric" else ("quantiles_uS",)
    for key in (*keys, "lost") if law.lost else keys:
        yield from _wrong_rows(f"law.{key}", getattr(law, key), law.times_s, law.levels_uS)
    for t, row in enumerate(law.quantiles_uS):
        for k, values in enumerate(row):
            if len(values) not in NODES or any(b < a for a, b in pairwise(values)):
                counts = " or ".join(str(n) for n in NODES)
                yield f"law.quantiles_uS[{t}][{k}] must be {counts} numbers that do not decrease"
            if len(values) != len(law.quantiles_uS[0][0]):
                yield (f"law.quantiles_uS[{t}][{k}] must be as many numbers as [0][0] are, "
                       f"{len(law.quantiles_uS[0][0])}, not {len(values)}")
    for side in ("low", "high"):
        ratios = [ratio for row in getattr(law, f"{side}_ratio") for ratio in row]
        tails = [tail for row in getattr(law, f"{side}_tail") for tail in row]
        if any(0.0 < ratio < 1.0 for ratio in ratios):
            yield f"law.{side}_ratio must be 0 or at least 1"
        if any(tail > 1.0 <= ratio for tail, ratio in zip(tails, ratios, strict=False)):
            yield f"law.{side}_tail must be at most 1 where law.{side}_ratio is not 0"


def _wrong_memory(law: Law) -> Iterator[str]:
    """Weights that would change the law of a single time."""
    counts = {len(row) for row in law.memory}
    if len(law.memory) != len(law.times_s) or len(counts) != 1 or max(counts) > MOST_WEIGHTS:
        yield (f"law.memory must have {len(law.times_s)} rows, one for each time, of as many weights, at most "
               f"{MOST_WEIGHTS}")
    for t, row in enumerate(law.memory):
        power = sum(weight * weight for weight in row)
        if abs(power - 1.0) > 1e-3:
            yield f"law.memory[{t}] must have squares that sum to 1, not {power:.4g}"


def _wrong_confidence(device: Device) -> Iterator[str]:
    """Errors that are not those of the law."""
    confidence, times, levels = device.confidence, len(device.law.times_s), len(device.law.levels_uS)
    if not confidence.cells:
        return
    if confidence.names:
        movable, count = type(device).MOVABLE, len(confidence.names)
        for name in confidence.names:
            if name not in movable:
                right = f'numbers of the law, as "{movable[0]}" or "{movable[-1]}"' if movable else "empty for this law"
                yield f"confidence.names must be {right}, not {shown(name)}"
        if {len(confidence.errors), len(confidence.memory), *map(len, confidence.memory)} != {count}:
            yield f"confidence.errors and memory must have {count} entries, one for each of names"
        return
    shapes = {"mean_error_uS": levels, "spread_error": levels, "mean_memory": times, "spread_memory": times}
    for key, columns in shapes.items():
        entries = getattr(confidence, key)
        if len(entries) != times or any(len(row) != columns for row in entries):
            yield f"confidence.{key} must have {times} rows of {columns} entries"
    per_time = ("die_mean_uS", "die_spread", "mean_low_uS", "mean_high_uS", "std_low_uS", "std_high_uS")
    yield from _wrong_counts("confidence", confidence, {"level_cells": levels, **dict.fromkeys(per_time, times)})


def _wrong_counts(name: str, section: object, counts: dict[str, int]) -> Iterator[str]:
    for key, count in counts.items():
        if len(getattr(section, key)) != count:
            yield f"{name}.{key} must have {count} entries, not {len(getattr(section, key))}"


def _wrong_heat(device: Device) -> Iterator[str]:
    """Lists on temperature that do not fit together, or do not fit the law."""
    heat, levels = device.heat, len(device.law.levels_uS)
    rows, reversible = len(heat.row_C), len(heat.reversible_uS)
    yield from _wrong_counts("heat", heat, {
        "row_s": rows, "kept": rows, "quantiles_uS": rows, "lost_part": len(heat.lost_s),
        "lost_levels": levels if heat.lost_s else 0, "coefficient": reversible, "coefficient_error": reversible,
    })
    if bool(heat.reversible) != bool(heat.reversible_uS):
        yield "heat.reversible_uS must have a target for each coefficient of heat.reversible"
    if (device.temperature.acts_on == "table") != bool(rows):
        yield 'temperature.acts_on must be "table" where heat.row_C has temperatures, and only there'
    for key in ("reversible_uS", "lost_s"):
        if not _increase(getattr(heat, key)) or min(heat.lost_s, default=1.0) <= 0.0:
            yield f"heat.{key} must increase, not {shown(getattr(heat, key))}"
    if any(b <= a for a, b in pairwise(zip(heat.row_C, heat.row_s, strict=True))) or device.law.temp_C in heat.row_C:
        yield f"heat.row_C, row_s must increase and leave out the law's {device.law.temp_C:g} C"
    nodes = device.law.table.shape[-1] if rows else 0
    for k, row in enumerate(heat.quantiles_uS):
        if len(row) != levels or any(len(v) != nodes or any(b < a for a, b in pairwise(v)) for v in row):
            yield (f"heat.quantiles_uS[{k}] must be {levels} lists, one a level, of {nodes} numbers that do not "
                   "decrease")


CAUSES = ("programming", "relaxation", "read-noise", "wire", "adc", "stuck", "sensor")
"""Everything that makes a macro, or the sensor before it, differ from exact arithmetic; each can be switched off."""


def causes_without(without: Collection[str]) -> frozenset[str]:
    """All causes but these; an :class:`InputError` that names one that there is not."""
    if unknown := sorted(set(without) - set(CAUSES)):
        raise InputError(f"without must be causes of {', '.join(CAUSES)}, not {unknown[0]!r}")
    return frozenset(CAUSES) - set(without)


def checked_causes(causes: frozenset[str] | None) -> frozenset[str]:
    """Causes that are switched on, all if not given; an :class:`InputError` that names one that there is not."""
    chosen = frozenset(CAUSES) if causes is None else frozenset(causes)
    unknown = sorted(chosen - set(CAUSES))
    if unknown:
        raise InputError(f"causes must be of {', '.join(CAUSES)}, not {unknown[0]}")
    return chosen
