"""From one chip description to Verilog, co-simulation and a running network.

The promised Python interface::

    chip = mho.Chip.load("neurram-core", **{"adc.bits": 6})
    net = mho.compile("model.onnx", chip, calibrate=x)
    r = net.run(x, time="1d", seeds=10)      # r.outputs, r.codes, r.accuracy(y), r.budget, r.plot()
    r = net.run(x, backend=mho.Cosim(waves="run.fst"))       # the same bits, from the generated Verilog; r.observed

Names are imported when they are first used, so that ``import mho`` costs nothing and the functional backend needs
neither a simulator nor a compiler.
"""

from typing import TYPE_CHECKING

from mho.macro_models.registry import lazy_names

if TYPE_CHECKING:
    from mho.api.chip import Chip
    from mho.api.compile import compile, load, plan
    from mho.api.crossbar import tune_crossbar
    from mho.api.device import Device, fit
    from mho.api.lists import backends, boards, check, devices, presets
    from mho.api.matrix import Matrix
    from mho.api.net import Net
    from mho.api.tiles import run_tiles
    from mho.hw.tile.asm import assemble, disassemble
    from mho.macro_models.array.nonlinear import solve_array
    from mho.macro_models.compact import compact_model, drive
    from mho.macro_models.errors import InputError, ToolError
    from mho.results.result import Budget, Result
    from mho.runs.backends import Cosim, Fpga, FpgaSim, Functional
    from mho.sim.programming.instance import Cells
    from mho.studies.compare import compare
    from mho.studies.report import report
    from mho.studies.sweep import sweep
    from mho.version import __version__

__all__ = [
    "Budget", "Cells", "Chip", "Cosim", "Device", "Fpga", "FpgaSim", "Functional", "InputError", "Matrix", "Net",
    "Result", "ToolError", "__version__", "assemble", "backends", "boards", "check", "compact_model", "compare",
    "compile", "devices", "disassemble", "drive", "fit", "load", "plan", "presets", "report", "run_tiles",
    "solve_array", "sweep", "tune_crossbar",
]

__getattr__ = lazy_names(__name__, {
    "mho.hw.tile.asm": ("assemble", "disassemble"),
    "mho.macro_models.array.nonlinear": ("solve_array",),
    "mho.macro_models.compact": ("compact_model", "drive"),
    "mho.macro_models.errors": ("InputError", "ToolError"),
    "mho.sim.programming.instance": ("Cells",),
    "mho.api.chip": ("Chip",),
    "mho.api.compile": ("compile", "load", "plan"),
    "mho.api.crossbar": ("tune_crossbar",),
    "mho.api.device": ("Device", "fit"),
    "mho.api.lists": ("backends", "boards", "check", "devices", "presets"),
    "mho.api.matrix": ("Matrix",),
    "mho.api.net": ("Net",),
    "mho.api.tiles": ("run_tiles",),
    "mho.results.result": ("Budget", "Result"),
    "mho.runs.backends": ("Cosim", "Fpga", "FpgaSim", "Functional"),
    "mho.studies.compare": ("compare",),
    "mho.studies.report": ("report",),
    "mho.studies.sweep": ("sweep",),
    "mho.version": ("__version__",),
})


def __dir__() -> list[str]:
    return sorted(__all__)
