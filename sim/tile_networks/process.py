"""The simulator process of a mesh."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mho.sim.core.process import Simulation
from mho.sim.tile_networks.host import MeshJob, MeshResult

Words = Mapping[int, NDArray[np.uint32]]
Answer = Callable[[Words], Words]


def _nothing(arrived: Words) -> Words:
    del arrived
    return {}


class MeshSimulation(Simulation):
    """A running simulator of a mesh; parameters as of :class:`mho.sim.core.process.Simulation`."""

    server = "mho.sim.tile_networks.server"

    def run_mesh(self, job: MeshJob, hear: Callable[[int, list[int]], None], answer: Answer = _nothing) -> MeshResult:
        """Run a job to its end.

        Raises ToolError if a macro model failed, or the simulator went away.

        Parameters
        ----------
        job
            What the host does.
        hear
            Is told cycles, and flits that have come of each sink, now and then.
        answer
            What the host makes on the way: flits of sources, by their numbers, from words of flits of sinks.
        """
        self._send("mesh", job)
        while True:
            kind, content = self._expect("progress", "came", "result")
            if kind == "result":
                break
            if kind == "came":
                self._send("blocks", answer(content))
            else:
                hear(*content)
        result: MeshResult = content
        if result.failure:
            self._give_up(f"the macro in the simulation failed: {result.failure}")
        return result
