"""What the host does between two layers on tiles, while their mesh runs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.graph.host import HostRun
from mho.sim.tile_networks.plan import Plan

Words = dict[int, NDArray[np.uint32]]


class HostAnswers:
    """Makes flits of flits.

    Parameters
    ----------
    plan
        What the host sends and gets.
    host
        What it makes of that.
    """

    def __init__(self, plan: Plan, host: HostRun) -> None:
        self._plan, self._host = plan, host
        self._came = {sink.value: np.zeros((0, sink.held.channels * sink.held.pixels), np.int16)
                      for sink in plan.sinks if sink.awaited}

    def __call__(self, arrived: Mapping[int, NDArray[np.uint32]]) -> Words:
        """Flits of sources that follow from words of flits of sinks, whole images; both by their numbers."""
        for k, words in arrived.items():
            sink = self._plan.sinks[k]
            self._came[sink.value] = np.concatenate([self._came[sink.value], sink.lanes(words)])
        lanes = self._host.answer(self._came)
        return {k: end.coming.flits(lanes[end.coming.value], self._plan.parts.mesh)
                for k, end in enumerate(self._plan.sources) if end.coming is not None and end.coming.value in lanes}
