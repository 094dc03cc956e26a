"""The simulator process of a mesh."""

from collections.abc import Callable

from sim.core.process import Simulation
from sim.tile_networks.host import MeshJob, MeshResult

__all__ = ["MeshSimulation"]


class MeshSimulation(Simulation):
    """A running simulator of a mesh; parameters as of :class:`sim.core.process.Simulation`."""

    server = "sim.tile_networks.server"

    def run_mesh(self, job: MeshJob, heard: Callable[[int, list[int]], None]) -> MeshResult:
        """Run a job to its end.

        Parameters
        ----------
        job
            What the host does.
        heard
            Is told cycles, and flits that have come of each sink, now and then.

        Raises
        ------
        ToolError
            If a macro model failed, or the simulator went away.
        """
        self._send(job.message())
        while True:
            answer = self._expect("progress", "result")
            if answer.kind == "result":
                break
            heard(answer.values["cycles"], answer.values["arrived"])
        result = MeshResult.from_message(answer)
        if result.failure:
            self._give_up(f"the macro in the simulation failed: {result.failure}")
        return result
