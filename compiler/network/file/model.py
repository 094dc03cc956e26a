"""The float model in a network file: its outputs and inputs, and the operators that the host does on its outputs."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.compiler.model import FloatNetwork, HostOp, Output
from mho.compiler.model.network import evaluated_at_the_end
from mho.compiler.model.operators.bounds import MOST_ELEMENTS
from mho.compiler.network.file.archive import Arrays
from mho.compiler.network.file.stages import COUNT, read_steps, write_all
from mho.compiler.types import Facts
from mho.macro_models.files.schema import FLAG, JSON, TEXT, Choice, ListOf, Nullable, Number, Optional, Table, Whole

__all__ = ["MODEL", "read_model", "write_model"]


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
