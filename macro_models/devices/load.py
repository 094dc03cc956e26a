"""Strict loading of devices: every wrong key or value is one sentence with file and dotted field."""

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

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
from macro_models.devices.law import NODES, Law, Temperature
from macro_models.devices.pulse import PulseResponse
from macro_models.errors import InputError

__all__ = ["device_from_dict", "device_names", "device_text", "load_device"]

SCHEMA = 1
_FOLDER = Path(__file__).parent
_SECTIONS = {
    "range": Range,
    "programming": Programming,
    "relaxation": Relaxation,
    "law": Law,
    "temperature": Temperature,
    "read_noise": ReadNoise,
    "stuck": Stuck,
    "pulse": PulseResponse,
    "converter": ConverterNoise,
    "fit": Fit,
}


@dataclass(frozen=True)
class _Number:
    low: float
    high: float

    def read(self, where: str, value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high:
            return float(value)  # NaN is in no range
        raise InputError(f"{where} must be a number from {self.low:g} to {self.high:g}, not {_shown(value)}")


@dataclass(frozen=True)
class _List:
    item: "_Number | _List"
    least: int = 0

    def read(self, where: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) < self.least:
            size = f" of at least {self.least}" if self.least else ""
            raise InputError(f"{where} must be a list{size}, not {_shown(value)}")
        return tuple(self.item.read(f"{where}[{k}]", item) for k, item in enumerate(value))


@dataclass(frozen=True)
class _Choice:
    names: tuple[str, ...]

    def read(self, where: str, value: object) -> Any:
        if value not in self.names:
            known = ", ".join(f'"{name}"' for name in self.names)
            raise InputError(f"{where} must be one of {known}, not {_shown(value)}")
        return value


@dataclass(frozen=True)
class _Whole:
    def read(self, where: str, value: object) -> Any:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InputError(f"{where} must be a whole number of at least 0, not {_shown(value)}")
        return value


@dataclass(frozen=True)
class _Kind:
    kind: type
    name: str

    def read(self, where: str, value: object) -> Any:
        if not isinstance(value, self.kind):
            raise InputError(f"{where} must be {self.name}, not {_shown(value)}")
        return value


_CONDUCTANCE = _Number(0.0, 1e6)
_COEFFICIENTS = _List(_Number(-1e9, 1e9), least=1)
_STRING, _FLAG = _Kind(str, "a string"), _Kind(bool, "true or false")
_CELSIUS, _CHANGE = _Number(-273.15, 1000.0), _Number(-1e6, 1e6)
_TAIL, _RATIO = _Number(0.0, 2.0), _Number(0.0, 1e6)
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
)
_SPEC = {
    "range": {"g_min_uS": _CONDUCTANCE, "g_max_uS": _CONDUCTANCE},
    "programming": {"accept_uS": _CONDUCTANCE, "pulse_s": _Number(1e-12, 1.0)},
    "relaxation": {
        "g_ref_uS": _Number(1e-6, 1e6),
        "temp_C": _CELSIUS,
        "times_s": _List(_Number(1e-9, 1e11)),
        "sigma_uS": _List(_COEFFICIENTS),
    },
    "law": {
        "model": _Choice(("", "parametric", "empirical")),
        "temp_C": _CELSIUS,
        "levels_uS": _List(_CONDUCTANCE),
        "times_s": _List(_Number(0.0, 1e11)),
        "kept": _List(_Number(0.0, 1.0)),
        "shift_uS": _List(_List(_CHANGE)),
        "low_uS": _List(_List(_CONDUCTANCE)),
        "high_uS": _List(_List(_CONDUCTANCE)),
        "low_tail": _List(_List(_TAIL)),
        "high_tail": _List(_List(_TAIL)),
        "low_ratio": _List(_List(_RATIO)),
        "high_ratio": _List(_List(_RATIO)),
        "quantiles_uS": _List(_List(_List(_CHANGE))),
        "lost": _List(_List(_Number(0.0, 1.0))),
        "lost_uS": _CONDUCTANCE,
    },
    "temperature": {
        "acts_on": _Choice(("", "time", "change")),
        "activation_eV": _Number(0.0, 10.0),
        "error_eV": _Number(0.0, 10.0),
        "fitted_C": _List(_CELSIUS),
    },
    "fit": {
        "file": _STRING,
        "sha256": _STRING,
        "command": _STRING,
        "dropped": _STRING,
        "cells": _Whole(),
        "readings": _Whole(),
        **{key: _List(_Number(-1e11, 1e11)) for key in _FIT_LISTS},
        "residual_mean_uS": _List(_List(_CHANGE)),
        "residual_std_uS": _List(_List(_CHANGE)),
    },
    "read_noise": {"sigma_uS": _COEFFICIENTS, "generator": _Choice(GENERATORS)},
    "stuck": {"fraction": _Number(0.0, 1.0), "values_uS": _List(_CONDUCTANCE, least=1)},
    "pulse": {
        **dict.fromkeys(
            ("g_low_uS", "g_high_uS", "initial_uS", "fresh_uS", "formed_uS", "verify_sigma_uS"), _CONDUCTANCE
        ),
        **dict.fromkeys(("set_threshold_V", "reset_threshold_V", "form_threshold_V"), _Number(-100.0, 100.0)),
        **dict.fromkeys(("set_spread_V", "reset_spread_V", "form_spread_V"), _Number(0.0, 100.0)),
        **dict.fromkeys(("set_slope_V", "reset_slope_V"), _Number(1e-3, 100.0)),
        **dict.fromkeys(("set_rate", "reset_rate"), _Number(0.0, 1e6)),
        **dict.fromkeys(("high_spread", "initial_spread", "cycle_spread"), _Number(0.0, 10.0)),
        "weak_fraction": _Number(0.0, 1.0),
        "weak_factor": _Number(1e-6, 1.0),
    },
    "converter": {"spread": _FLAG, "sigma_output_mV": _Number(0.0, 1e4)},
}


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
    return _read(_find(name))


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
    if path.resolve() in seen:
        chain = " -> ".join(p.name for p in (*seen, path))
        raise InputError(f"{path}: extends must not come back to itself, not {chain}")
    try:
        tree = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base:
        raise InputError(f"{path}: extends must be the name of a device or a path, not {_shown(base)}")
    try:
        found = _find(base)
    except InputError as error:
        raise InputError(f"{path}: extends: {error}") from None
    under = _load_tree(found if found.is_absolute() else path.parent / found, (*seen, path.resolve()))
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
    _refuse_unknown(tree, ("schema", "name", "description", *_SECTIONS), where, "")
    schema = tree.get("schema")
    if isinstance(schema, bool) or schema != SCHEMA:
        raise InputError(f"{where}: schema must be {SCHEMA}, not {_shown(schema)}")
    if not isinstance(tree.get("name"), str) or not tree["name"]:
        raise InputError(f"{where}: name must be a string that is not empty, not {_shown(tree.get('name'))}")
    sections = {name: _section(tree.get(name, {}), name, where) for name in _SECTIONS}
    device = Device(
        name=tree["name"], description=_STRING.read(f"{where}: description", tree.get("description", "")), **sections
    )
    _check_whole(device, where)
    return device


def _section(tree: object, name: str, where: str) -> Any:
    if not isinstance(tree, Mapping):
        raise InputError(f"{where}: {name} must be a table, not {_shown(tree)}")
    kind = _SECTIONS[name]
    _refuse_unknown(tree, [f.name for f in fields(kind)], where, f"{name}.")
    values = {
        key: (_STRING if key == "source" else _SPEC[name][key]).read(f"{where}: {name}.{key}", value)
        for key, value in tree.items()
    }
    return kind(**values)


def _check_whole(device: Device, where: str) -> None:
    """Refuse values that are legal each by itself but not together."""
    limits, data = device.range, device.relaxation
    if limits.g_min_uS > limits.g_max_uS:
        raise InputError(
            f"{where}: range.g_min_uS must be at most g_max_uS = {limits.g_max_uS:g}, not {limits.g_min_uS:g}"
        )
    if device.read_noise.generator == "lfsr" and len(device.read_noise.sigma_uS) > 1:
        raise InputError(
            f"{where}: read_noise.sigma_uS must be one number where a shift register makes the noise, the same for all "
            f"conductances, not {_shown(device.read_noise.sigma_uS)}"
        )
    if device.law.model:
        _check_law(device.law, where)
    if any(later <= earlier for earlier, later in pairwise(data.times_s)):
        raise InputError(f"{where}: relaxation.times_s must increase, not {_shown(data.times_s)}")
    if len(data.sigma_uS) != len(data.times_s):
        raise InputError(
            f"{where}: relaxation.sigma_uS must hold one polynomial for each of the {len(data.times_s)} times, "
            f"not {len(data.sigma_uS)}"
        )


def _check_law(law: Law, where: str) -> None:
    """Refuse a law whose lists do not fit together."""
    for key in ("levels_uS", "times_s"):
        values = getattr(law, key)
        if not values or any(later <= earlier for earlier, later in pairwise(values)):
            raise InputError(f"{where}: law.{key} must not be empty and must increase, not {_shown(values)}")
    if len(law.kept) != len(law.times_s):
        raise InputError(f"{where}: law.kept must have {len(law.times_s)} entries as times_s, not {len(law.kept)}")
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


def _refuse_unknown(tree: Mapping[str, Any], known: Any, where: str, prefix: str) -> None:
    for key in tree:
        if key not in known:
            spelt = {name.lower(): name for name in known}
            close = difflib.get_close_matches(key.lower(), spelt, n=1, cutoff=0.6)
            hint = f"did you mean {prefix}{spelt[close[0]]}?" if close else f"known are {', '.join(known)}"
            raise InputError(f"{where}: unknown key {prefix}{key}, {hint}")


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or os.sep in text:
        return Path(text)
    if text not in device_names():
        raise InputError(f"device must be one of {', '.join(device_names())} or a .toml file, not {_shown(text)}")
    return _FOLDER / f"{text}.toml"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot read the device: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a TOML file: it is not UTF-8 text") from None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:g}"
    if isinstance(value, (list, tuple)):
        text = "[" + ", ".join(_shown(item) for item in value) + "]"
    elif isinstance(value, str):
        text = f'"{value}"'
    else:
        text = "a table" if isinstance(value, Mapping) else "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
