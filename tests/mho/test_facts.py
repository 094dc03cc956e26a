"""What is said to be in plain dictionaries is in them, of the types that are said."""

import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

import mho
from mho.compiler.facts import Fit, Fitting, Plan, Summary
from mho.results.facts import Cost, LayerRow, Provenance
from tests.mho.conftest import Tiny


def holds(value: Any, kind: Any, where: str = "") -> list[str]:
    """What is not as the type says, by the path to it."""
    origin, parts = get_origin(kind), get_args(kind)
    container = dict if is_typeddict(kind) or origin is Mapping else list if origin is Sequence else origin
    if isinstance(container, type) and container is not UnionType and not isinstance(value, container):
        return [f"{where}: {value!r} is no {kind}"]
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        wrong = [f"{where}.{key}: not said" for key in value.keys() - hints.keys()]
        wrong += [f"{where}.{key}: not there" for key in kind.__required_keys__ - value.keys()]
        both = value.keys() & hints.keys()
        return wrong + [w for key in both for w in holds(value[key], hints[key], f"{where}.{key}")]
    if origin in (Union, UnionType):
        return min((holds(value, part, where) for part in parts), key=len)
    if origin in (list, Sequence):
        return [w for k, item in enumerate(value) for w in holds(item, parts[0], f"{where}[{k}]")]
    if origin in (dict, Mapping):
        return [w for key, item in value.items() for w in holds(item, parts[1], f"{where}[{key}]")]
    if kind is object or (kind is float and isinstance(value, int)) or isinstance(value, kind):
        return []
    return [f"{where}: {value!r} is no {kind.__name__}"]


def test_a_wrong_value_is_found() -> None:
    fit = {"fits": True, "cores": 1, "there": "1", "chips": 1, "figures": ""}
    assert holds(fit, Fit) == [".note: not there", ".there: '1' is no int"]


def test_what_a_compiled_network_says(tiny: Tiny) -> None:
    net = mho.load(tiny.path("tiny.mho"))
    assert holds(net.summary(), Summary) == []
    assert holds(net.fitting(), Fitting) == []


@pytest.mark.parametrize("chip", ["tnsa16-core", "tnsa16-2x2"])
def test_what_a_plan_says(tiny: Tiny, chip: str) -> None:
    plan = mho.plan(tiny.path("tiny.onnx"), chip)
    assert holds(plan, Plan) == []
    assert (plan["tiles"] is not None) == (chip == "tnsa16-2x2")


def test_what_a_run_says(tiny: Tiny) -> None:
    result = mho.load(tiny.path("tiny.mho")).run(tiny.x, seeds=2, device_draws=0)
    content = json.loads(json.dumps(result.to_dict(tiny.y)))
    assert holds(content["cost"], Cost) == []
    assert holds(content["fit"], Fit) == []
    assert holds(content["layers"], list[LayerRow]) == []
    assert holds(result.provenance, Provenance) == []


@pytest.mark.slow
def test_what_tiles_add(tiny: Tiny) -> None:
    net = mho.compile(tiny.path("tiny.onnx"), "tnsa16-2x2", calibrate=tiny.x)
    assert holds(net.summary(), Summary) == []
    assert net.summary()["tiles"] is not None
    assert holds(net.run(tiny.x, limit=4).to_dict()["cost"], Cost) == []
