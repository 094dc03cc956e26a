"""The cocotb test inside the simulator of a mesh: it takes models and jobs from a socket until the other side closes.

While a job runs, cocotb sleeps until ``wake`` changes: at the end, and now and then to say how far it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer, ValueChange

from mho.macro_models import MacroModel
from mho.sim.core.batch import Mode
from mho.sim.core.messages import Link
from mho.sim.core.simulator.serving import serve_jobs
from mho.sim.core.simulator.shim import shim_library, simulated_macros
from mho.sim.macros import SimulatedMacro
from mho.sim.tile_networks.host import MeshHost, MeshJob, MeshResult


@cocotb.test()
async def serve(dut: Any) -> None:
    """Answer ``core`` (the macro model of a tile) and ``mesh`` requests (a job)."""
    await Timer(1, "step")
    library = shim_library()
    macros, host, wake = sorted(simulated_macros(library), key=_number), MeshHost(library), ValueChange(dut.wake)

    async def mesh(link: Link, job: MeshJob, models: Mapping[int, MacroModel]) -> None:
        link.send("result", await _run(macros, host, models, job, wake, link))

    await serve_jobs("mesh", mesh)


def _number(macro: SimulatedMacro) -> int:
    """The number of the tile of a macro."""
    match = re.search(r"(?:tile|macro)_(\d+)", macro.path)
    assert match is not None
    return int(match[1])


async def _run(
    macros: Sequence[SimulatedMacro], host: MeshHost, models: Mapping[int, MacroModel], job: MeshJob, wake: ValueChange,
    link: Link,
) -> MeshResult:
    """One job. A tile without a model has a macro whose comparators never flip."""
    for number, macro in enumerate(macros):
        model = models.get(number)
        if model is not None:
            macro.put_model(model)
        macro.start(Mode.CONST if model is None else Mode.LAZY)
    host.start(job)
    while True:
        await wake
        progress = host.progress()
        if not progress["running"]:
            break
        if fresh := host.fresh():
            link.send("came", fresh)
            for k, flits in link.receive()[1].items():
                host.give(k, flits)
        else:
            link.send("progress", (progress["cycles"], host.arrived()))
    result = host.finish()
    result.cells = [np.zeros((0, 0), np.int64) if macro.programmed is None else macro.programmed for macro in macros]
    result.failure = next((macro.failure for macro in macros if macro.failure), "")
    return result
