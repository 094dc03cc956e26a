"""Patterns of traffic, and what a mesh can carry of each at most.

A node without traffic to itself: a node whose destination in a permutation is itself stays silent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.router.model import Traffic

Ints = NDArray[np.int64]

HOT_SHARE = 0.1
"""Part of the flits that go to the hot node."""


@dataclass(frozen=True)
class Pattern:
    """Where the flits of each node go."""

    name: str
    """Name."""
    weights: Callable[[MeshConfig], NDArray[np.float64]] | None
    """Probability of each destination by source, of shape (nodes, nodes); a row of zeros is a node that does not send.
    None: sets of nodes, a random not empty mask of columns times one of rows."""


def _permutation(target: Callable[[MeshConfig, Ints, Ints], Ints]) -> Callable[[MeshConfig], NDArray[np.float64]]:
    def weights(cfg: MeshConfig) -> NDArray[np.float64]:
        node = np.arange(cfg.nodes)
        to = target(cfg, *_positions(cfg))
        result = np.zeros((cfg.nodes, cfg.nodes))
        result[node, to] = to != node
        return result

    return weights


def _positions(cfg: MeshConfig) -> tuple[Ints, Ints]:
    """Column and row of each node."""
    node = np.arange(cfg.nodes)
    return node % cfg.columns, node // cfg.columns


def _uniform(cfg: MeshConfig) -> NDArray[np.float64]:
    return (1 - np.eye(cfg.nodes)) / (cfg.nodes - 1)


def _hotspot(cfg: MeshConfig) -> NDArray[np.float64]:
    hot = cfg.node(cfg.columns // 2, cfg.rows // 2)
    result = (1 - HOT_SHARE) * _uniform(cfg)
    result[:, hot] += HOT_SHARE
    result[hot] = _uniform(cfg)[hot]
    return result


PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern("uniform", _uniform),
        # Of the mesh as a matrix: the classical one on a square.
        Pattern("transpose", _permutation(lambda cfg, x, y: x * cfg.rows + y)),
        Pattern("bit-complement", _permutation(lambda cfg, x, y: cfg.nodes - 1 - (y * cfg.columns + x))),
        Pattern(
            "neighbour",
            _permutation(lambda cfg, x, y: (y + 1) % cfg.rows * cfg.columns + (x + 1) % cfg.columns),
        ),
        Pattern("hotspot10", _hotspot),
        Pattern("multicast", None),
    )
}
"""Patterns by name. ``neighbour`` is one column and one row on, around the edges; in ``hotspot10`` a tenth goes to the
node in the middle and the rest is uniform."""


def make_traffic(cfg: MeshConfig, pattern: Pattern, *, load: float, cycles: int, seed: int) -> Traffic:
    """Flits that come to the nodes' source queues, which have no end, in each cycle with probability ``load``.

    Parameters
    ----------
    cfg
        The mesh; ``multicast`` needs one of at most 8 columns and rows.
    load
        Flits a cycle and node that sends, 0 to 1.
    cycles
        Cycles in which flits come.
    seed
        Of the arrivals, destinations and tags.
    """
    rng = np.random.default_rng([seed, cfg.columns, cfg.rows])
    weights = None if pattern.weights is None else pattern.weights(cfg)
    sends = np.ones(cfg.nodes, dtype=np.bool_) if weights is None else weights.any(axis=1)
    earliest, source = np.nonzero((rng.random((cycles, cfg.nodes)) < load) & sends)
    if weights is None:
        columns, rows = (rng.integers(1, 1 << size, len(source)) for size in (cfg.columns, cfg.rows))
    else:
        ends = np.cumsum(weights, axis=1)
        ends[:, -1] = 1.0 + sends  # not a hair below 1
        to = np.empty(len(source), dtype=np.int64)
        draws = rng.random(len(source))
        for node in np.flatnonzero(sends):
            mine = source == node
            to[mine] = np.searchsorted(ends[node], draws[mine], side="right")
        columns, rows = 1 << to % cfg.columns, 1 << to // cfg.columns
    tag = rng.integers(0, 1 << cfg.tag_bits, len(source))
    return Traffic(source=source, columns=columns, rows=rows, tag=tag, earliest=earliest)


def random_traffic(rng: np.random.Generator, cfg: MeshConfig, count: int, *, load: float, multicast: float) -> Traffic:
    """Flits at a mean rate of ``load`` a node and cycle, a part of them to sets of nodes: to test with.

    Parameters
    ----------
    count
        Flits.
    multicast
        Part of the flits that goes to sets: random masks, or rectangles in a mesh of more than 8 columns or rows.
    """
    many = rng.random(count) < multicast
    source = rng.integers(0, cfg.nodes, count)
    sides = []
    for size in (cfg.columns, cfg.rows):
        chosen = 1 << rng.integers(0, size, count)
        if cfg.masks:
            several = rng.integers(1, 1 << size, count)
        else:
            low, high = np.sort(rng.integers(0, size, (2, count)), axis=0)
            several = (2 << high) - (1 << low)
        sides.append(np.where(many, several, chosen))
    return Traffic(
        source=source, columns=sides[0], rows=sides[1], tag=rng.integers(0, 1 << cfg.tag_bits, count),
        earliest=np.sort(rng.integers(0, int(count / load / cfg.nodes) + 1, count)),
    )


def channel_bound(cfg: MeshConfig, pattern: Pattern) -> float:
    """Flits (of ``multicast``: deliveries) a cycle and node that sends at which the busiest channel is never idle.

    Injection and ejection are channels too; the paths are XY. Exact.
    """
    if pattern.weights is None:
        return _multicast_bound(cfg)
    weights = pattern.weights(cfg)
    x, y = _positions(cfg)
    loads = [weights.sum(axis=1).max(), weights.sum(axis=0).max()]
    for edge in range(cfg.columns - 1):
        for row in range(cfg.rows):
            line = weights[y == row]
            left = x[y == row] <= edge
            loads += [line[left][:, x > edge].sum(), line[~left][:, x <= edge].sum()]
    for edge in range(cfg.rows - 1):
        for column in range(cfg.columns):
            line = weights[:, x == column]
            up = y <= edge
            loads += [line[up][:, up[x == column] == 0].sum(), line[~up][:, up[x == column]].sum()]
    return float(1 / max(loads))


def _multicast_bound(cfg: MeshConfig) -> float:
    """Of random masks: the probability that a tree uses a channel, summed over the sources."""

    def some(of: int, size: int) -> float:
        """That a not empty mask has one of so many bits."""
        return ((1 << size) - (1 << size - of)) / ((1 << size) - 1)

    ejection = (cfg.nodes - 1) * some(1, cfg.columns) * some(1, cfg.rows)
    loads = [1.0, ejection]
    loads += [k * some(cfg.columns - k, cfg.columns) for k in range(1, cfg.columns)]
    loads += [k * cfg.columns * some(1, cfg.columns) * some(cfg.rows - k, cfg.rows) for k in range(1, cfg.rows)]
    return ejection / max(loads)
