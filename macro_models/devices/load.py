"""Strict loading of devices: every wrong key or value is one sentence with file and dotted field."""

import os
from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from macro_models.devices.confidence import Confidence
from macro_models.devices.device import (
    GENERATORS,
    ConverterNoise,
    Device,
    Fit,
    Programming,
    Range,
    ReadNoise,
    Relaxation,
    Stuck,
)
from macro_models.devices.heat import REVERSIBLE, Heat
from macro_models.devices.law import NODES, Law, Temperature
from macro_models.devices.laws import law_kinds
from macro_models.devices.memory import MOST_WEIGHTS
from macro_models.devices.pulse import PulseAgreement, PulseResponse
from macro_models.devices.telegraph import Telegraph
from macro_models.devices.update import UPDATES, Update
from macro_models.errors import InputError
from macro_models.files import FileKind, extending, read_text, read_toml
from macro_models.files.schema import FLAG, TEXT, Choice, ListOf, Number, Optional, Table, Text, Whole, shown

__all__ = ["device_from_dict", "device_names", "device_text", "load_device"]

SCHEMA = 1
DEVICE = FileKind("device", 1 << 24)
_FOLDER = Path(__file__).parent
_SECTIONS = {
    "range": Range,
    "programming": Programming,
    "relaxation": Relaxation,
    "law": Law,
    "temperature": Temperature,
    "heat": Heat,
    "read_noise": ReadNoise,
    "stuck": Stuck,
    "pulse": PulseResponse,
    "converter": ConverterNoise,
    "fit": Fit,
    "confidence": Confidence,
    "pulse_fit": PulseAgreement,
    "update": Update,
    "telegraph": Telegraph,
}


_CONDUCTANCE = Number(0.0, 1e6)
_COEFFICIENTS = ListOf(Number(-1e9, 1e9), least=1)
_CELSIUS, _CHANGE = Number(-273.15, 1000.0), Number(-1e6, 1e6)
_TAIL, _RATIO = Number(0.0, 2.0), Number(0.0, 1e6)
_FIT_LISTS = (
    "g_range_uS",
    "time_range_s",
    "temp_range_C",
    "times_s",
    "n",
    "mean_uS",
    "model_mean_uS",
    "std_uS",
    "model_std_uS",
    "beyond",
    "model_beyond",
    "share_die",
    "share_die_error",
    "share_cell",
    "share_cell_error",
    "cycles_times_s",
    "cycles_range",
    "cycles_mean_uS",
    "cycles_mean_error_uS",
    "cycles_spread",
    "cycles_spread_error",
)
_SPEC = {
    "range": {"g_min_uS": _CONDUCTANCE, "g_max_uS": _CONDUCTANCE},
    "programming": {"accept_uS": _CONDUCTANCE, "pulse_s": Number(1e-12, 1.0), "cycle": Whole(0, 10**12)},
    "relaxation": {
        "g_ref_uS": Number(1e-6, 1e6),
        "temp_C": _CELSIUS,
        "times_s": ListOf(Number(1e-9, 1e11)),
        "sigma_uS": ListOf(_COEFFICIENTS),
    },
    "law": {
        "model": Choice(("", "parametric", "empirical")),
        "temp_C": _CELSIUS,
        "levels_uS": ListOf(_CONDUCTANCE),
        "times_s": ListOf(Number(0.0, 1e11)),
        "kept": ListOf(Number(0.0, 1.0)),
        "shift_uS": ListOf(ListOf(_CHANGE)),
        "low_uS": ListOf(ListOf(_CONDUCTANCE)),
        "high_uS": ListOf(ListOf(_CONDUCTANCE)),
        "low_tail": ListOf(ListOf(_TAIL)),
        "high_tail": ListOf(ListOf(_TAIL)),
        "low_ratio": ListOf(ListOf(_RATIO)),
        "high_ratio": ListOf(ListOf(_RATIO)),
        "quantiles_uS": ListOf(ListOf(ListOf(_CHANGE))),
        "lost": ListOf(ListOf(Number(0.0, 1.0))),
        "lost_uS": _CONDUCTANCE,
        "loss": Choice(("", "weibull")),
        "onset_s": Number(0.0, 1e11),
        "memory": ListOf(ListOf(Number(-1.0, 1.0), least=1)),
        **dict.fromkeys(("die", "cell"), ListOf(Number(0.0, 1.0))),
    },
    "temperature": {
        "acts_on": Choice(("", "time", "change", "table")),
        "activation_eV": Number(0.0, 10.0),
        "error_eV": Number(0.0, 10.0),
        "fitted_C": ListOf(_CELSIUS),
    },
    "heat": {
        "note": TEXT,
        **dict.fromkeys(("row_C", "at_C"), ListOf(_CELSIUS)),
        **dict.fromkeys(("row_s", "lost_s", "at_s"), ListOf(Number(0.0, 1e11))),
        "onset_s": Number(0.0, 1e11),
        **dict.fromkeys(("kept", "lost_part"), ListOf(Number(0.0, 1.0))),
        "quantiles_uS": ListOf(ListOf(ListOf(_CHANGE))),
        **dict.fromkeys(("lost_eV", "lost_error_eV", "rival_eV"), Number(0.0, 10.0)),
        **dict.fromkeys(("lost_C", "reversible_C"), _CELSIUS),
        "lost_levels": ListOf(Number(0.0, 1e6)),
        "lost_uS": _CONDUCTANCE,
        "reversible": Choice(REVERSIBLE),
        "reversible_uS": ListOf(_CONDUCTANCE),
        **dict.fromkeys(("coefficient", "coefficient_error"), ListOf(Number(-10.0, 10.0))),
        "choice": Number(0.0, 1.0),
        "rival": Choice(("", "time", "change")),
        **dict.fromkeys(("heldout", "rival_heldout"), Number(0.0, 1e12)),
        "n": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(
            (f"{who}{what}_uS" for who in ("", "model_", "heldout_") for what in ("mean", "std")), ListOf(_CHANGE)
        ),
    },
    "fit": {
        "file": TEXT,
        "sha256": TEXT,
        "command": TEXT,
        "dropped": TEXT,
        "cells": Whole(),
        "readings": Whole(),
        **{key: ListOf(Number(-1e11, 1e11)) for key in _FIT_LISTS},
        "levels_uS": ListOf(_CONDUCTANCE),
        "level_n": ListOf(ListOf(Number(0.0, 1e11))),
        "level_mean_uS": ListOf(ListOf(_CHANGE)),
        "level_std_uS": ListOf(ListOf(_CONDUCTANCE)),
        "residual_mean_uS": ListOf(ListOf(_CHANGE)),
        "residual_std_uS": ListOf(ListOf(_CHANGE)),
        "warnings": ListOf(TEXT),
    },
    "confidence": {
        "cells": Whole(),
        "dies": Whole(),
        "level_cells": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(("mean_error_uS", "spread_error"), ListOf(ListOf(_CONDUCTANCE))),
        **dict.fromkeys(("mean_memory", "spread_memory"), ListOf(ListOf(Number(-1.0001, 1.0001)))),
        **dict.fromkeys(("die_mean_uS", "die_spread"), ListOf(_CONDUCTANCE)),
        "names": ListOf(TEXT),
        "errors": ListOf(_CONDUCTANCE),
        "memory": ListOf(ListOf(Number(-1.0001, 1.0001))),
        "lost_error": Number(0.0, 10.0),
        **dict.fromkeys(("mean_low_uS", "mean_high_uS", "std_low_uS", "std_high_uS"), ListOf(_CHANGE)),
    },
    "pulse_fit": {
        "unknown": TEXT,
        "errors": ListOf(Number(0.0, 1e12)),
        "volts": ListOf(Number(-100.0, 100.0)),
        "n": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(("moved_uS", "model_moved_uS", "std_uS", "model_std_uS"), ListOf(_CHANGE)),
    },
    "update": {
        "model": Choice(UPDATES),
        **dict.fromkeys(("g_min_uS", "g_max_uS", "up_curve", "down_curve"), _CHANGE),
        **dict.fromkeys(("up_uS", "down_uS", "read_sigma_uS"), _CONDUCTANCE),
        **dict.fromkeys(("up_part", "down_part"), Number(0.0, 1.0)),
        **dict.fromkeys(("cycle_spread", "cell_spread"), Number(0.0, 1e3)),
        **dict.fromkeys(("up_V", "down_V"), Number(-100.0, 100.0)),
        "pulse_s": Number(0.0, 1.0),
        "heldout": ListOf(Number(0.0, 1e6)),
        "n": ListOf(Number(-1e9, 1e9)),
        **dict.fromkeys(("g_uS", "model_g_uS"), ListOf(_CHANGE)),
    },
    "read_noise": {
        "sigma_uS": _COEFFICIENTS,
        "telegraph_uS": ListOf(Number(-1e9, 1e9)),
        "telegraph_fraction": Number(0.0, 1.0),
        "flicker_uS": ListOf(Number(-1e9, 1e9)),
        "flicker_efolds": Number(0.0, 1e3),
        "flicker_read_s": Number(0.0, 1.0),
        "g_ref_uS": Number(0.0, 1e6),
        "generator": Choice(GENERATORS),
    },
    "telegraph": {
        "fraction": ListOf(Number(-1e3, 1e3)),
        "amplitude_uS": ListOf(Number(-1e9, 1e9)),
        "spread": Number(0.0, 3.0),
        "occupancy": ListOf(Number(0.0, 1.0), least=1, most=65),
        "g_ref_uS": Number(1e-6, 1e6),
    },
    "stuck": {"fraction": Number(0.0, 1.0), "values_uS": ListOf(_CONDUCTANCE, least=1)},
    "pulse": {
        **dict.fromkeys(
            ("g_low_uS", "g_high_uS", "initial_uS", "fresh_uS", "formed_uS", "verify_sigma_uS"), _CONDUCTANCE
        ),
        **dict.fromkeys(("set_threshold_V", "reset_threshold_V", "form_threshold_V"), Number(-100.0, 100.0)),
        **dict.fromkeys(("set_spread_V", "reset_spread_V", "form_spread_V"), Number(0.0, 100.0)),
        **dict.fromkeys(("set_slope_V", "reset_slope_V"), Number(1e-3, 100.0)),
        **dict.fromkeys(("set_rate", "reset_rate"), Number(0.0, 1e6)),
        **dict.fromkeys(("high_spread", "initial_spread", "cycle_spread"), Number(0.0, 10.0)),
        "weak_fraction": Number(0.0, 1.0),
        "weak_factor": Number(1e-6, 1.0),
    },
    "converter": {"spread": FLAG, "sigma_output_mV": Number(0.0, 1e4)},
}
_OF_LAWS = {name: kind.section for name, kind in law_kinds().items()}
_SPEC |= {name: kind.spec for name, kind in law_kinds().items()}
_TABLE = Table({
    "schema": Choice((SCHEMA,)),
    "name": Text(least=1),
    "description": Optional(TEXT),
    **{
        name: Optional(Table({
            f.name: Optional(TEXT if f.name == "source" else _SPEC[name][f.name]) for f in fields(section)
        }))
        for name, section in {**_SECTIONS, **_OF_LAWS}.items()
    },
})


def device_names() -> list[str]:
    """Names of the shipped devices, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def device_text(name: str) -> str:
    """The commented TOML file of a shipped device.

    Raises
    ------
    InputError
        If there is no such device.
    """
    return read_text(_find(name), DEVICE)


def load_device(name_or_path: str | os.PathLike[str]) -> Device:
    """Load a device: a shipped one by its name, or a TOML file by its path.

    Parameters
    ----------
    name_or_path
        ``"rram-neurram"``, ``"my.toml"``. What ends in ``.toml`` or has a folder in it is a path. A file may say
        ``extends = "rram-neurram"`` (or a path from its own folder) and then only what differs.

    Raises
    ------
    InputError
        If the file cannot be read, or a key is unknown, missing or out of range. The sentence opens with the file and
        names the dotted field.
    """
    path = _find(name_or_path)
    return device_from_dict(_load_tree(path, ()), where=str(path))


def _load_tree(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """What a file says, on top of the device that it extends. Name and description are a file's own."""
    _, tree = read_toml(path, DEVICE)
    seen = extending(path, seen)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base:
        raise InputError(f"{path}: extends must be the name of a device or a path, not {shown(base)}")
    try:
        found = _find(base)
    except InputError as error:
        raise InputError(f"{path}: extends: {error}") from None
    under = _load_tree(found if found.is_absolute() else path.parent / found, seen)
    under.pop("name", None)
    under.pop("description", None)
    return {
        **under,
        **{
            key: {**under[key], **value} if isinstance(value, dict) and isinstance(under.get(key), dict) else value
            for key, value in tree.items()
        },
    }


def device_from_dict(tree: Mapping[str, Any], *, where: str = "device") -> Device:
    """Build a device from nested dicts as in its file, the inverse of :meth:`Device.to_dict`.

    Raises
    ------
    InputError
        As in :func:`load_device`; the sentence opens with ``where``.
    """
    content = _TABLE.read(f"{where}: ", tree)
    del content["schema"]
    sections = {**_SECTIONS, **_OF_LAWS}
    laws = [name for name in _OF_LAWS if name in content]
    laws += ["law"] if content.get("law", {}).get("model") else []
    if len(laws) > 1:
        raise InputError(f"{where}: cells have one law, not {' and '.join(laws)}")
    kind = law_kinds().get(laws[0]) if laws else None
    device = (kind.device if kind else Device)(
        **{name: sections[name](**v) if name in sections else v for name, v in content.items()}
    )
    _check_whole(device, where)
    if kind:
        kind.check(device, where)
    return device


def _check_whole(device: Device, where: str) -> None:
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
    known, times, levels = device.confidence, len(device.law.times_s), len(device.law.levels_uS)
    if not known.cells:
        return
    if known.names:
        _check_movable(device, where)
        return
    shapes = {
        "mean_error_uS": (times, levels), "spread_error": (times, levels), "mean_memory": (times, times),
        "spread_memory": (times, times),
    }
    for key, (rows, columns) in shapes.items():
        given = getattr(known, key)
        if len(given) != rows or any(len(row) != columns for row in given):
            raise InputError(f"{where}: confidence.{key} must have {rows} rows of {columns} entries")
    counts = {"level_cells": levels, **dict.fromkeys(
        ("die_mean_uS", "die_spread", "mean_low_uS", "mean_high_uS", "std_low_uS", "std_high_uS"), times
    )}
    for key, count in counts.items():
        if len(getattr(known, key)) != count:
            raise InputError(f"{where}: confidence.{key} must have {count} entries, not {len(getattr(known, key))}")


def _check_movable(device: Device, where: str) -> None:
    """Refuse errors of numbers that a law does not have."""
    known = device.confidence
    for name in known.names:
        if name not in type(device).MOVABLE:
            names = type(device).MOVABLE
            right = f'numbers of the law, as "{names[0]}" or "{names[-1]}"' if names else "empty for this law"
            raise InputError(f"{where}: confidence.names must be {right}, not {shown(name)}")
    count = len(known.names)
    if len(known.errors) != count or len(known.memory) != count or any(len(row) != count for row in known.memory):
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


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or os.sep in text:
        return Path(text)
    if text not in device_names():
        raise InputError(f"device must be one of {', '.join(device_names())} or a .toml file, not {shown(text)}")
    return _FOLDER / f"{text}.toml"
