"""The simulator process of a mesh, and what the host does between two layers while it runs."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.graph.host import HostRun
from mho.sim.core.process import Simulation
from mho.sim.tile_networks.host import MeshJob, MeshResult
from mho.sim.tile_networks.plan import Plan

Words = Mapping[int, NDArray[np.uint32]]
Answer = Callable[[Words], Words]


def host_answers(plan: Plan, host: HostRun) -> Answer:
    """What makes flits of sources that follow from words of flits of sinks, whole images; both by their numbers."""
    came = {sink.value: np.zeros((0, sink.held.channels * sink.held.pixels), np.int16)
            for sink in plan.sinks if sink.awaited}

    def answer(arrived: Words) -> Words:
        for k, words in arrived.items():
            sink = plan.sinks[k]
            came[sink.value] = np.concatenate([came[sink.value], sink.lanes(words)])
        lanes = host.answer(came)
        return {k: end.coming.flits(lanes[end.coming.value], plan.parts.mesh)
                for k, end in enumerate(plan.sources) if end.coming is not None and end.coming.value in lanes}

    return answer


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
