"""Latency against offered load of a mesh, in its Verilog."""

import statistics
from dataclasses import dataclass

import numpy as np
from tools import Figures

from mho.hw.noc.router.traffic import PATTERNS, Pattern, channel_bound, make_traffic
from mho.sim.noc.mesh import MeshSimulation, check_delivery, members

WARM = 2000
"""Cycles before those that count."""

SEEDS = (0, 1, 2)

COARSE = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05)
"""Offered loads as parts of the bound."""

STEP_OF_BOUND = 0.01

SATURATED = 3.0
"""A mesh is saturated when its mean latency is more than so many times that of the empty mesh."""


@dataclass(frozen=True)
class Point:
    """At an offered load (deliveries a cycle and sending node): latency in cycles, first and last counted."""

    offered: float
    mean: float
    p99: float


class Sweep:
    """One pattern on one mesh."""

    def __init__(self, simulation: MeshSimulation, pattern: Pattern, cycles: int) -> None:
        self.simulation, self.pattern, self.cycles = simulation, pattern, cycles
        self.cfg = simulation.cfg
        self.bound = channel_bound(self.cfg, pattern)
        sample = make_traffic(self.cfg, pattern, load=1.0, cycles=2000, seed=0)
        self.senders = len(np.unique(sample.source))
        # A flit of the pattern multicast makes so many deliveries in the mean.
        self.copies = float(members(self.cfg, sample).sum() / len(sample.source))
        self._known: dict[float, Point] = {}

    def point(self, part: float) -> Point:
        """At a part of the bound: flits that come in the cycles that count, all seeds together."""
        part = round(part, 4)
        if part not in self._known:
            offered = part * self.bound
            latencies = []
            for seed in SEEDS:
                traffic = make_traffic(
                    self.cfg, self.pattern, load=min(1.0, offered / self.copies), cycles=WARM + self.cycles, seed=seed
                )
                run = self.simulation.run(traffic, cycles=20 * (WARM + self.cycles))
                check_delivery(self.cfg, traffic, run)
                arrival = traffic.earliest[run.flit]
                latencies.append((run.cycle - arrival + 1)[arrival >= WARM])
            together = np.concatenate(latencies)
            self._known[part] = Point(offered, float(together.mean()), float(np.quantile(together, 0.99)))
        return self._known[part]

    def accepted(self) -> tuple[float, float]:
        """Deliveries a cycle and sending node if each always has a flit: mean and standard deviation of the seeds."""
        rates = []
        for seed in SEEDS:
            traffic = make_traffic(self.cfg, self.pattern, load=1.0, cycles=WARM + self.cycles, seed=seed)
            run = self.simulation.run(traffic, cycles=WARM + self.cycles)
            rates.append(int((run.cycle >= WARM).sum()) / self.cycles / self.senders)
        return statistics.mean(rates), statistics.stdev(rates)

    def saturation(self, empty: float) -> float:
        """Largest offered load before the first that is saturated, in steps of a hundredth of the bound."""
        limit = SATURATED * empty
        last = 0.0
        for part in (*COARSE, 1.2):
            if part * self.bound / self.copies > 1.0 or self.point(part).mean > limit:
                break
            last = part
        steps = 0
        while (last + STEP_OF_BOUND) * self.bound / self.copies <= 1.0 and steps < 20:
            if self.point(last + STEP_OF_BOUND).mean > limit:
                break
            last = round(last + STEP_OF_BOUND, 4)
            steps += 1
        return last * self.bound

    def result(self) -> Figures:
        """All figures."""
        empty = self.point(COARSE[0]).mean
        saturation = self.saturation(empty)
        accepted, deviation = self.accepted()
        curve = [self._known[part] for part in sorted(self._known)]
        return {
            "bound": self.bound, "zero_load": empty, "saturation": saturation, "accepted": accepted,
            "accepted_sd": deviation, "curve": [vars(point) for point in curve],
        }


def sweep(simulation: MeshSimulation, cycles: int) -> Figures:
    """Figures of all patterns."""
    return {name: Sweep(simulation, pattern, cycles).result() for name, pattern in PATTERNS.items()}
