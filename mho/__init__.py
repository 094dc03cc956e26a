"""From one chip description to Verilog, co-simulation and a running network.

The promised Python interface::

    chip = mho.Chip.load("neurram-core", **{"adc.bits": 6})
    net = mho.compile("model.onnx", chip, calibrate=x)
    r = net.run(x, time="1d", seeds=10)      # r.outputs, r.codes, r.accuracy(y), r.budget, r.plot()

Names are imported when they are first used, so that ``import mho`` costs nothing and the functional backend needs
neither a simulator nor a compiler.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from macro_models.errors import InputError, ToolError
    from mho.api import Chip, Device, Net, compile, load, plan
    from mho.results.result import Budget, Result
    from mho.version import __version__
    from sim.cells.instance import Cells

__all__ = [
    "Budget",
    "Cells",
    "Chip",
    "Device",
    "InputError",
    "Net",
    "Result",
    "ToolError",
    "__version__",
    "compile",
    "load",
    "plan",
]

_HOMES = {
    "InputError": "macro_models.errors",
    "ToolError": "macro_models.errors",
    "Cells": "sim.cells.instance",
    "Chip": "mho.api",
    "Device": "mho.api",
    "Net": "mho.api",
    "compile": "mho.api",
    "load": "mho.api",
    "plan": "mho.api",
    "Budget": "mho.results.result",
    "Result": "mho.results.result",
    "__version__": "mho.version",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mho' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
