"""The file of a fitted device: commented TOML that :func:`mho.macro_models.devices.load_device` reads."""

import json
import textwrap
from typing import Any

from mho.macro_models.devices.device import LATER, Device
from mho.macro_models.devices.load import device_from_dict
from mho.macro_models.devices.sections.heat import Temperature
from mho.macro_models.errors import printable
from mho.macro_models.files import parse_toml

_WIDTH = 116
_COMMENTS = {
    "range": "Range of conductances: that of the chip must be the same (cells.g_min_uS, cells.g_max_uS).",
    "programming": "Scale of time on which the change sets in.",
    "law": (
        "Distribution of g - target at each level (columns) and time (rows). The first row is what programming left; "
        "the others are what each time adds to it, on top of the share 'kept' of the first. A cell keeps its place in "
        "the distribution at all times."
    ),
    "drift": (
        "g = g_p ((t + t_c) / t_c)^-nu, nu of its own for each cell, r = g / g_ref_uS. A curve [slope, offset, least, "
        "most] is slope ln r + offset, held within its limits; docs/explanation/devices.md has the equations."
    ),
    "temperature": (
        "Arrhenius: factor = exp(E / k (1 / T_law - 1 / T)). It acts on time (a second counts as 'factor' seconds), "
        "or on the change (so many times as large)."
    ),
    "heat": (
        "Temperature in detail: laws of further temperatures (row_C, row_s, quantiles_uS), an energy of lost cells, "
        "the reversible part of the conductance; and g - target at each temperature as measured, of this device, and "
        "of one that was fitted without that temperature."
    ),
    "read_noise": "Fluctuation from one conversion to the next, from readings in a row if there are any.",
    "telegraph": (
        "Cells with a trap conduct one of two values, drawn for each conversion: part of the cells, root mean square "
        "of the difference (polynomials in g / g_ref_uS), deviation of its logarithm, quantiles of the share of reads "
        "that find the upper one."
    ),
    "compact": "A compact model of the cell. Not part of the data.",
    "conduction": "Reads that are not linear: law of the cells, access transistor. Not part of the data.",
    "stuck": "Cells that do not answer: those of the data are left out of the other sections.",
    "pulse": "Answer to programming pulses, see macro_models/cells/pulses.py for the equations.",
    "converter": "Noise of the converters: not part of the data, so none.",
    "confidence": (
        "How sure the law is: standard errors of mean and deviation at each time (rows) and level (columns), from "
        "which devices are drawn that other cells of the same kind would have given; 90 % intervals over all cells."
    ),
    "pulse_fit": (
        "How well the answer to pulses agrees: moves at each amplitude as measured and of the law, standard errors, "
        "and parameters that the data say nothing about."
    ),
    "update": (
        "Answer to identical pulses, for training: equations in macro_models/devices/sections/update.py. n counts "
        "pulses, downwards negative."
    ),
    "fit": (
        "Where this comes from, and how well it agrees: g - target as measured and of this device, at each time over "
        "all cells, and device less measurement for each time (rows) and level (columns)."
    ),
}
_KINDS = {
    "parametric": (
        "On each side of shift_uS there is a normal core of scale low_uS or high_uS; a fraction low_tail or high_tail "
        "of the side's cells has low_ratio or high_ratio times its scale. Ratio 0: lighter than normal (tail 0 "
        "normal, 1 uniform, 2 rising towards the end)."
    ),
    "empirical": "Quantiles as measured, at 145 standard normal variables -4.5, -4.4375, .. 4.5, linear between them.",
}


def device_toml(device: Device) -> str:
    """The text of the file of a device.

    Raises InputError if no file can hold the device, with what is out of its range.
    """
    tree = device.to_dict()
    lines = [
        *_comment(f"{device.description}. Written by: {device.fit.command or 'mho.macro_models.fit'}"),
        f"schema = {tree['schema']}",
        f"name = {_string(device.name)}",
        f"description = {_string(device.description)}",
    ]
    for section, values in tree.items():
        unknown = section == "pulse" and not values["set_rate"]
        unknown |= section == "law" and not device.law.model
        unknown |= section == "temperature" and not device.law.model and device.temperature == Temperature()
        if not isinstance(values, dict) or section == "relaxation" or unknown:
            continue
        entries = {key: value for key, value in values.items() if value not in ([], "")}
        if section in LATER:
            plain = vars(LATER[section])
            entries = {key: value for key, value in entries.items() if value != plain[key]}
        if "lost" not in entries:
            entries.pop("lost_uS", None)
        if section == "law":
            lines += ["", *_comment(_COMMENTS[section] + " " + _KINDS.get(device.law.model, ""))]
        else:
            lines += ["", *_comment(_COMMENTS[section])]
        lines.append(f"[{section}]")
        for key, value in entries.items():
            lines += _item(key, value)
    text, where = "\n".join(lines) + "\n", "the fitted device"
    device_from_dict(parse_toml(text, where), where=where)
    return text


def _comment(text: str) -> list[str]:
    return textwrap.wrap(printable(text), _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _string(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)


def _item(key: str, value: Any) -> list[str]:
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [f"{key} = [", *(f"    {_string(text)}," for text in value), "]"]
    if not (isinstance(value, list) and value and isinstance(value[0], list)):
        text = _value(value)
        if isinstance(value, list) and len(key) + 3 + len(text) > _WIDTH:
            return [f"{key} = [", *_wrapped(value, "    "), "]"]
        return [f"{key} = {text}"]
    lines = [f"{key} = ["]
    for row in value:
        if row and isinstance(row[0], list):
            lines += ["    [", *(line for inner in row for line in _row(inner, "        ")), "    ],"]
        else:
            lines += _row(row, "    ")
    return [*lines, "]"]


def _row(row: list[Any], indent: str) -> list[str]:
    text = f"{indent}{_value(row)},"
    return [text] if len(text) <= _WIDTH else [f"{indent}[", *_wrapped(row, indent + "    "), f"{indent}],"]


def _wrapped(row: list[Any], indent: str) -> list[str]:
    text = ", ".join(_value(v) for v in row) + ","
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        text = f"{value:.10g}"
        return text if any(c in text for c in ".e") else f"{text}.0"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(value)
