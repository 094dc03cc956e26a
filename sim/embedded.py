"""Models of a network's cells in a simulation by Verilator that somebody else builds: sources, and what they call.

There is no backend: a processor of the user's design gives the chip its work. Cells that it programs are those of which
products are made from then on. ``hdl/embedded.cpp`` has Python in the process of the simulator.
"""

import ctypes
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network import Network
from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices import device_from_dict
from mho.macro_models.errors import InputError, ToolError
from mho.sim.build.toolchain import HDL
from mho.sim.core.batch import Mode
from mho.sim.core.simulator.shim import PinMacro
from mho.sim.executor import build_cores
from mho.sim.kinds import body, macros_of_kinds
from mho.sim.macros import SimulatedMacro
from mho.sim.programming.cosim import KINDS
from mho.sim.programming.instance import Cells
from mho.sim.programming.shim import CellShim
from mho.sim.tile_networks.build import macro_of

MODULE = "mho_models"
"""An instance of it, with the clock at its port ``clk``, has the models ready."""
FLAGS = {"CFLAGS": "-ffp-contract=off -fno-math-errno", "LDFLAGS": "-rdynamic"}
"""Of the compiler: arithmetic is that of numpy; of the linker: Python finds the functions of the macros."""
_SHIPPED = ("embedded.sv", "asking.cpp", "philox.cpp", "cells.cpp")
_TILE = re.compile(r"tile_(\d+)_(\d+)")


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What stands behind the pins: the cells of a network file; the rest as at :func:`mho.sim.executor.build_cores`."""

    network: str
    cells: str = ""
    device: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    time_s: float = 0.0
    temp_C: float = 25.0

    def cores(self, network: Network) -> list[Any]:
        """The cores of the network, programmed."""
        device = device_from_dict(self.device, where="device") if self.device else network.device
        cells = Cells.load(self.cells) if self.cells else None
        options = {"seed": self.seed, "time_s": self.time_s, "temp_C": self.temp_C}
        return build_cores(network, device=device, cells=cells, **options)

    def sources(self, chip: Chip, folder: Path) -> list[Path]:
        """SystemVerilog and C++ beside the generated Verilog of a chip, some of it written into ``folder``.

        Raises ToolError if this Python has no library that a program can load.
        """
        from find_libpython import find_libpython

        library = find_libpython()
        if library is None:
            raise ToolError(f"{sys.executable}: must be a Python with a shared library (Debian: libpython3-dev)")
        names = {
            "PYTHON": library, "PYTHON_HOME": f"{sys.base_prefix}:{sys.base_exec_prefix}",
            "PYTHON_PATH": ":".join(str(Path(entry).absolute()) for entry in sys.path),
            "CALL": f"from mho.sim.embedded import start\nstart({json.dumps(asdict(self))!r})\n",
        }
        lines = [f"#define MHO_{name} {json.dumps(value)}\n" for name, value in names.items()]
        texts = {
            "mho_macro.sv": f"`define MHO_STEADY\n{macro_of(chip)}",
            "mho_models.cpp": "".join(lines) + (HDL / "embedded.cpp").read_text("utf-8"),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [*(folder / name for name in texts), *(HDL / name for name in (*_SHIPPED, *body(chip).sources))]


def pulse_array(chip: Chip, model: Any) -> PulseArray:
    """The cells of a programmed core as pulses find them: formed, at the conductances that products see."""
    array = PulseArray(PulseChip.of(chip).pulse_config(), device=model.device, seed=model.seed, core=model.core)
    array.g_uS = _g_uS(model).ravel()
    return array


def _g_uS(model: Any) -> NDArray[np.float64]:
    return model.cells * model.config.lsb_uS


class _Body:
    """A macro of the simulation and its model, whose cells a processor may program."""

    def __init__(self, macro: SimulatedMacro, model: Any, temp_C: float) -> None:
        self.macro, self._model, self._temp_C = macro, model, temp_C
        self._answer, self._changed = macro.evaluate, False
        macro.put_model(model)
        macro.start(Mode.LAZY)

    def lend(self, shim: CellShim, chip: Chip) -> None:
        """Have pulses and verify reads reach the cells."""
        self._shim, self._array = shim, pulse_array(chip, self._model)
        parameters = WriteVerifyParameters.from_chip(chip)
        self._widths = np.array([getattr(parameters, f"{kind}_cycles") for kind in KINDS])
        shim.lend(self.macro.path, self._array, self._widths, self._widths)

    def used(self) -> None:
        """Cells are programmed: the next product asks for a model."""
        if not self._changed:
            self._changed = True
            self.macro.start(Mode.LAZY)
            self.macro.evaluate = self._evaluate

    def _evaluate(self) -> int:
        """Answer for the cells as they are now."""
        self.check()
        model, array = self._model, self._array
        g = np.where(array.pulse_count > 0, array.relaxed_uS(model.time_s, self._temp_C), _g_uS(model).ravel())
        self.macro.put_model(type(model).from_measured(
            model.config, g.reshape(model.cells.shape), device=model.device, seed=model.seed, core=model.core,
            time_s=model.time_s))
        # Lent anew, they are heard of when they are used again.
        self._shim.lend(self.macro.path, array, self._widths, self._widths)
        self._changed, self.macro.evaluate = False, self._answer
        return self._answer()

    def check(self) -> None:
        """End the simulation if something has gone wrong."""
        if why := self.macro.failure or (self._shim.failure(self.macro.path) if hasattr(self, "_shim") else ""):
            _end(f"{self.macro.path}: {why}")


_bodies: list[_Body] = []


def start(settings: str) -> None:
    """Put models behind the pins of all macros in this process; ``settings`` are those of :class:`Behind`, as JSON."""
    behind = Behind(**json.loads(settings))
    try:
        network = Network.load(Path(behind.network))
        models = behind.cores(network)
    except InputError as error:
        _end(str(error))
    library = ctypes.CDLL(None)
    macros = sorted([*macros_of_kinds(library), *PinMacro.all_of(library)], key=_place)
    copies = len(macros) // len(models)
    if copies * len(models) != len(macros) or not macros:
        _end(f"the simulation must hold the {len(models)} macros of {network.chip.name}, not {len(macros)}")
    # Of a chip that is there several times all have the same cells.
    _bodies.extend(_Body(macro, models[k // copies], behind.temp_C) for k, macro in enumerate(macros))
    by_path = {answering.macro.path: answering for answering in _bodies}
    shim = CellShim(library, lambda path: by_path[path].used())
    for path, answering in by_path.items():
        if shim.programs(path):
            answering.lend(shim, network.chip)


def report() -> None:
    """Say what has gone wrong, when the simulation ends; then it has failed."""
    for answering in _bodies:
        answering.check()


def _place(macro: SimulatedMacro) -> tuple[int, int]:
    """Row and column of the tile of a macro."""
    places = _TILE.findall(macro.path)
    return (int(places[-1][1]), int(places[-1][0])) if places else (0, 0)


def _end(sentence: str) -> NoReturn:
    sys.stdout.flush()
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    os._exit(1)
