"""The float model in a network file: its outputs and inputs, and the operators that the host does on its outputs.

Beside it are facts about the calibration.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from mho.compiler.calibration.outputs import Calibration, Converters, OutputError
from mho.compiler.mapping.redundancy import Redundancy
from mho.compiler.model import FloatNetwork, HostOp, Output
from mho.compiler.model.network import evaluated_at_the_end
from mho.compiler.model.operators.bounds import MOST_ELEMENTS
from mho.compiler.network.file.archive import Arrays
from mho.compiler.network.file.stages import COUNT, read_steps, write_all
from mho.compiler.options import MOST_SLICES
from mho.compiler.types import Facts
from mho.macro_models.files.schema import FLAG, JSON, TEXT, Choice, ListOf, Nullable, Number, Optional, Table, Whole
from mho.macro_models.integer.operation import MAX_BITS

_OF_TILES, _OF_CHIPS = ("hop_bytes", "tile_cycles"), ("cells", "converters")
"""What networks for tiles have in any case, and what is left out where there is none."""


def write_calibration(calibration: Calibration, *, tiles: bool) -> Facts:
    """The facts as JSON, of a network with programs of tiles or without."""
    return {
        name: value for name, value in asdict(calibration).items()
        if value is not None or name not in (*_OF_CHIPS, *_OF_TILES) or (tiles and name in _OF_TILES)
    }


def read_calibration(where: str, content: Mapping[str, Any], layers: int) -> Calibration:
    """Facts on so many layers, as :data:`CALIBRATION` allows them; ``where`` opens what is refused.

    Numbers stay what they are in the file, whole ones whole, so that it is written with the same bytes again.
    """
    for name in _LISTS:
        if name in content:
            Choice((layers,)).read(f"{where}.{name}: numbers", len(content[name]))
    values = {field.name: content[field.name] for field in fields(Calibration) if field.name in content}
    plain = {"slices": (1,) * layers, "slice_bits": (0,) * layers, "clipped": (None,) * layers}
    converters, redundancy, hops = (content.get(name) for name in ("converters", "redundancy", "hop_bytes"))
    return Calibration(**{
        **plain, **values, **{name: tuple(values[name]) for name in (*_LISTS, "warnings") if name in values},
        "outputs": tuple(OutputError(**output) for output in content.get("outputs", ())),
        "redundancy": redundancy and Redundancy(**redundancy),
        "converters": converters and Converters(seed=converters["seed"], cores=tuple(converters["cores"])),
        "hop_bytes": hops and tuple(hops), "tile_cycles": _read_tile_cycles(where, content.get("tile_cycles")),
    })


def _read_tile_cycles(where: str, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What is predicted of tiles, by its present names."""
    if not content:
        return None
    content = {_RENAMED.get(name, name): value for name, value in content.items()}
    _TILE_CYCLES.read(f"{where}.tile_cycles", content)
    Choice(tuple(tile["tile"] for tile in content["tiles"])).read(
        f"{where}.tile_cycles.bottleneck", content["bottleneck"])
    return content


_LISTS = ("errors", "cycles", "slices", "slice_bits", "clipped")
_SHARE, _ERROR = Nullable(Number(0, 1)), Nullable(Number(0, math.inf))
_OUTPUT_ERROR = Table({
    "name": TEXT, "inputs": COUNT, "classes": _SHARE, "classes_aged": _SHARE, "error": _ERROR, "error_aged": _ERROR,
    "allowed": Number(0, 1), "spread": _ERROR,
})
_CYCLES, _NUMBER = Number(0, 1e18), Whole(0, 10**18)
_TILE_CYCLES = Table({
    "latency_cycles": _CYCLES, "interval_cycles": _CYCLES, "bottleneck": TEXT, "f_clk_MHz": Optional(Number(1e-6, 1e6)),
    "tiles": ListOf(Table({
        "tile": TEXT, "analog_cycles": _CYCLES, "utilisation": _CYCLES, "layers": Optional(ListOf(TEXT)),
        "takes": Optional(Table(dict.fromkeys(("buffer", "parameters", "instructions"), _NUMBER))),
    }, rest=True), least=1),
    "links": Optional(ListOf(Table({"start": TEXT, "end": TEXT, "flits": _NUMBER}, rest=True))),
}, rest=True)
"""What is printed and drawn of the times of tiles."""
_RENAMED = {"first": "latency_cycles", "each": "interval_cycles"}
"""Names of them in older files."""
_REDUNDANCY = Table({
    "wanted": Number(0, 1), "without": Number(0, math.inf), "reached": Number(0, math.inf), "cores": COUNT,
    "products": COUNT,
})
CALIBRATION = Table({
    "samples": Whole(1), "sha256": TEXT, "time_s": Number(0, 1e12), "errors": ListOf(Number(0, math.inf)),
    "cycles": ListOf(Number(0, 1e18)), "slices": Optional(ListOf(Whole(1, MOST_SLICES))),
    "slice_bits": Optional(ListOf(Whole(0, MAX_BITS))), "clipped": Optional(ListOf(_SHARE)),
    "warnings": Optional(ListOf(TEXT)), "outputs": Optional(ListOf(_OUTPUT_ERROR)),
    "cores_least": Optional(Nullable(COUNT)), "cores_bound": Optional(Nullable(COUNT)),
    "redundancy": Optional(Nullable(_REDUNDANCY)), "hop_bytes": Optional(Nullable(ListOf(_NUMBER, 2, 2))),
    "cells": Optional(Table({"seed": Whole(0, 2**32 - 1)}, rest=True)),
    "tile_cycles": Optional(Nullable(JSON)),
    "converters": Optional(Table({"seed": Whole(0, 2**32 - 1), "cores": ListOf(Table({}, rest=True))})),
}, rest=True)


def write_model(model: FloatNetwork, put: Any) -> Facts:
    """The model as JSON; its arrays are given to ``put``."""
    return {
        "name": model.name,
        "input_name": model.input_name,
        "input_shape": list(model.input_shape),
        **_write_outputs(model),
        "steps": write_all(model.steps, "step", put),
    }


def _write_outputs(model: FloatNetwork) -> Facts:
    """Outputs and several inputs; of one, as files have always had them."""
    outputs = [
        {
            "output_name": output.name, "host": [{"kind": op.kind, "parameters": op.parameters} for op in output.host],
            **({} if len(model.outputs) == 1 else {"elements": {"first": output.first, "size": output.size}}),
        }
        for output in model.outputs
    ]
    parts = [{"name": name, "shape": list(shape)} for name, shape in model.parts]
    return {
        **outputs[0], **({"more_outputs": outputs[1:]} if outputs[1:] else {}), **({"parts": parts} if parts else {})
    }


def read_model(content: Mapping[str, Any], arrays: Arrays) -> tuple[FloatNetwork, int]:
    """The float network, and the elements of its last value before the host's operators."""
    steps, last = read_steps(content["steps"], arrays, math.prod(content["input_shape"]))
    model = FloatNetwork(
        name=content["name"], input_name=content["input_name"], input_shape=content["input_shape"], steps=steps,
        outputs=tuple(_read_output(entry, last) for entry in (content, *content.get("more_outputs", ()))),
        parts=tuple((part["name"], tuple(part["shape"])) for part in content.get("parts", ())),
    )
    if model.parts and sum(math.prod(shape) for _, shape in model.parts) != model.features:
        raise ValueError("its inputs are not as many as its features")
    if len({output.name for output in model.outputs}) < len(model.outputs):
        raise ValueError("two of its outputs have the same name")
    return model, last


def _read_output(content: Mapping[str, Any], last: int) -> Output:
    """An output of which there are ``last`` elements at most."""
    first, size = content["elements"].values() if "elements" in content else (0, None)
    count = last - first if size is None else size
    if not 0 <= first <= first + count <= last:
        raise ValueError(f"output {content['output_name']!r} has elements that there are not")
    output = Output(
        name=content["output_name"], host=tuple(HostOp(**op) for op in content["host"]), first=first, size=size
    )
    _check_host(output, last)
    return output


def _check_host(output: Output, last: int) -> None:
    """That the host's operators fit each other, on a row of zeros; those of ONNX are not carried out."""
    values, classes = np.zeros((1, last))[:, output.elements], 0
    for op in output.host:
        if op.kind == "onnx":
            step = evaluated_at_the_end(op.parameters["model"])
            if step.taken != values.size:
                raise ValueError(f"its operators take {step.taken} elements, not {values.size}")
            values = step.blank
            continue
        if op.kind == "look_up" and len(op.parameters["table"]) < classes:
            raise ValueError(f"its table has {len(op.parameters['table'])} entries for {classes} classes")
        classes = values.shape[op.parameters["axis"]] if op.kind == "argmax" else classes
        values = op.compute(values)
        if values.size > MOST_ELEMENTS:
            raise ValueError(f"output {output.name!r} has more than {MOST_ELEMENTS} elements")


class _HostOp:
    """An operator of the host: its parameters are those of its kind."""

    def read(self, where: str, value: object) -> Facts:
        table = _HOST_OP.read(where, value)
        _PARAMETERS[table["kind"]].read(f"{where}.parameters", table["parameters"])
        return table


_FINITE, _AXIS = Number(-1e300, 1e300), Whole(1, 15)
_PARAMETERS = {
    "affine": Table({"scale": ListOf(_FINITE, least=1), "offset": ListOf(_FINITE, least=1)}),
    "clip": Table({"low": Number(-math.inf, math.inf), "high": Number(-math.inf, math.inf)}),
    **dict.fromkeys(("softmax", "log_softmax"), Table({"axes": ListOf(_AXIS, least=1)})),
    "normalise": Table({"axis": _AXIS}),
    "argmax": Table({"axis": _AXIS, "keepdims": FLAG, "last": FLAG}),
    "look_up": Table({"table": ListOf(_FINITE, least=1)}),
    "reshape": Table({"shape": ListOf(COUNT), "batch_axis": Whole(0, 15)}),
    "onnx": Table({"model": TEXT, "classes": FLAG}),
    "constant": Table({"value": ListOf(_FINITE, least=1)}),
    "cast": Table({"dtype": Choice(tuple(np.dtype(code).name for code in "?bhilqBHILQefd"))}),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "complement"), Table({})),
}
_HOST_OP = Table({"kind": Choice(tuple(_PARAMETERS)), "parameters": JSON})
_OUTPUT = {
    "output_name": TEXT, "host": ListOf(_HostOp()),
    "elements": Optional(Table({"first": Whole(), "size": Nullable(Whole())})),
}
MODEL = Table({
    "name": TEXT, "input_name": TEXT, "input_shape": ListOf(COUNT, least=1), "steps": ListOf(JSON),
    **_OUTPUT, "more_outputs": Optional(ListOf(Table(_OUTPUT))),
    "parts": Optional(ListOf(Table({"name": TEXT, "shape": ListOf(COUNT, least=1)}))),
})
