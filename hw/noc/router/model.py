"""The mesh cycle by cycle, in Python: what hardware is held to, and what predicts the time of traffic.

Flits are numbers; where they go, and when they may leave, is known beforehand. The step of a cycle is plain loops over
integers (:mod:`mho.hw.noc.router.model_loops`), which numba compiles where it is installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import STEP, Destinations

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Flits of a run."""

    source: Ints
    """Node of each flit, of shape (flits,). Flits of a node leave in the order of their numbers."""
    columns: Ints
    rows: Ints
    """Bit masks of the destinations, of shape (flits,)."""
    tag: Ints
    """Of shape (flits,)."""
    earliest: Ints
    """First cycle in which the flit is offered, of shape (flits,)."""

    @classmethod
    def of(cls, flits: Sequence[tuple[int, Destinations, int, int]]) -> "Traffic":
        """From (source, destinations, tag, earliest cycle) of each flit."""
        masks = [[sum(1 << i for i in side) for side in (to.columns, to.rows)] for _, to, _, _ in flits]
        table = np.array([(s, *m, t, e) for (s, _, t, e), m in zip(flits, masks, strict=True)], dtype=np.int64)
        return cls(**dict(zip(("source", "columns", "rows", "tag", "earliest"), table.reshape(-1, 5).T, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What left the mesh."""

    cycle: Ints
    node: Ints
    flit: Ints
    """Of each ejection, in order of the cycles, then of the nodes."""
    injected: Ints
    """Cycle in which each flit was taken from its source, of shape (flits,); -1 if it was not."""
    unroutable: Ints
    """Flits that were dropped since they want no output, of shape (nodes,)."""
    cycles: int
    """Cycles that were run."""


class MeshModel:
    """A mesh of routers (:class:`mho.hw.noc.router.network.Network`), equal to the hardware in every cycle."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self._neighbour = np.full((cfg.nodes, 5), -1, dtype=np.int64)
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            for port, (dx, dy) in STEP.items():
                if 0 <= x + dx < cfg.columns and 0 <= y + dy < cfg.rows:
                    self._neighbour[node, port] = cfg.node(x + dx, y + dy)

    def run(self, traffic: Traffic, *, cycles: int, accept: NDArray[np.bool_] | None = None) -> Delivery:
        """Run an empty mesh until everything has arrived.

        Parameters
        ----------
        traffic
            What is sent.
        cycles
            Most cycles that are run.
        accept
            Whether nodes take what arrives, of shape (cycles, nodes). By default they always do.
        """
        cfg, count = self.cfg, len(traffic.source)
        order = np.argsort(traffic.source, kind="stable")
        first = np.searchsorted(traffic.source[order], np.arange(cfg.nodes + 1))
        if accept is None:
            accept = np.ones((1, cfg.nodes), dtype=np.bool_)
        members = _popcount(traffic.columns) * _popcount(traffic.rows)
        left = np.zeros((int(members.sum()), 3), dtype=np.int64)
        injected = np.full(count, -1, dtype=np.int64)
        unroutable = np.zeros(cfg.nodes, dtype=np.int64)
        from mho.hw.noc.router.model_loops import ALLOWED, TURN, run

        ran, arrived = run(
            cfg.columns, cfg.depth, cycles, self._neighbour, traffic.columns, traffic.rows, traffic.earliest, order,
            first, accept, np.zeros((cfg.nodes, 5, cfg.depth), dtype=np.int64), left, injected, unroutable, TURN,
            ALLOWED,
        )
        return Delivery(
            cycle=left[:arrived, 0], node=left[:arrived, 1], flit=left[:arrived, 2], injected=injected,
            unroutable=unroutable, cycles=ran,
        )


def _popcount(masks: Ints) -> Ints:
    return np.array([int(mask).bit_count() for mask in masks], dtype=np.int64)
