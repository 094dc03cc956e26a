"""One point of a sweep: compiled, or taken from the cache, and run. A row is a function of the point alone."""

from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

from mho.api.chip import Chip
from mho.api.compile import compile, load
from mho.api.device import Device
from mho.api.net import Net
from mho.macro_models.errors import InputError
from mho.results import score
from mho.results.result import Result
from mho.sweeps.spec.points import Point, parts
from mho.sweeps.spec.spec import Spec
from mho.sweeps.spec.workload import Workload

Row = dict[str, Any]
"""Columns of a point; of one that is refused ``error`` holds the sentence and there are no results."""

KEPT_NETWORKS = 4
"""Networks that a process keeps at once."""

_state: dict[str, Any] = {}
_nets: OrderedDict[str, Net] = OrderedDict()


def begin(spec: Spec) -> None:
    """Take the sweep that the points of this process are of."""
    _state["spec"] = spec
    _nets.clear()


def evaluate(point: Point) -> Row:
    """The row of a point.

    Raises ToolError if something failed that is not of the point.
    """
    spec: Spec = _state["spec"]
    row: Row = {"point": point.name, **point.design.columns(), "seed": point.seed}
    workload = spec.networks[point.design.network]
    try:
        net = _net(spec, point, workload)
        _, device, _ = parts(spec, point.design)
        result = net.run(
            workload.x, device=Device(device), time=point.design.time_s, temp=point.design.temp_C, seed=point.seed,
            score=workload.score, keep_codes=False,
        )
        return row | {"images": workload.images, **_measures(net, result, workload), "error": ""}
    except InputError as error:
        return row | {"images": workload.images, "error": str(error)}


def _measures(net: Net, result: Result, workload: Workload) -> Row:
    """What :data:`~mho.sweeps.spec.measures.MEASURES` names, as far as it is known."""
    run, images = result.runs[0], workload.images
    row: Row = {}
    if workload.labels is not None:
        row["accuracy"] = float(result.accuracies(workload.labels)[0])
    if result.agreement is not None:
        row["agreement"] = result.agreement
    row["relative_error"] = score.relative_error(run.outputs, result.reference)
    return row | {
        "mvms": run.mvms // images, **_size(net.sha256, net), **_cost(result), "fits": result.fit["fits"],
    }


def _cost(result: Result) -> Row:
    """Time of an input; energy of the macros for one, and their area, where the description of the chip says them.

    With what has changed since these were right, where they are extrapolated.
    """
    cost, energy = result.cost, result.cost["energy"]
    row: Row = {name: cost[name] for name in result.time.facts(result.f_clk_MHz)}
    row |= {} if energy is None else {"energy_nJ": energy["total_pJ"] / 1000.0}
    row |= {} if cost["macros_mm2"] is None else {"area_mm2": cost["macros_mm2"]}
    changes = (energy and energy["extrapolated"], cost["area_extrapolated"])
    changed = dict.fromkeys(part for text in changes if text for part in text.split("; "))
    return row | ({"extrapolated": "; ".join(changed)} if changed else {})


@cache
def _size(_sha256: str, net: Net) -> Row:
    summary = net.summary()
    return {"cores": summary["cores"], "cells": summary["cells"]}


def _net(spec: Spec, point: Point, workload: Workload) -> Net:
    """The compiled network: of this process, of the cache, or compiled now, while others that want it wait."""
    from mho.sim.build.toolchain import cached_build

    if point.compiled in _nets:
        _nets.move_to_end(point.compiled)
        return _nets[point.compiled]
    chip, device, options = parts(spec, point.design)

    def build(folder: Path) -> None:
        compile(
            workload.model, Chip(chip), calibrate=workload.calibrate, device=Device(device), **options
        ).save(folder / "net.mho")

    folder = cached_build("network", [point.compiled, _code()], build, what="")
    _nets[point.compiled] = load(folder / "net.mho")
    while len(_nets) > KEPT_NETWORKS:
        _nets.popitem(last=False)
    return _nets[point.compiled]


@cache
def _code() -> str:
    """Hash of the code that compiles networks."""
    from mho import compiler, hw, macro_models
    from mho.sim.build.toolchain import hash_files

    folders = [Path(package.__file__ or "").parent for package in (compiler, hw, macro_models)]
    return hash_files(path for folder in folders for path in folder.rglob("*.py"))
