"""The loops of :mod:`mho.hw.noc.router.model`: integers and arrays only, for numba or without it.

Ports are numbers as in :class:`mho.hw.noc.flit.Port`: north, east, south, west, local. The state of a queue is its
head's place, its length, and the outputs that have taken the head; that of an output the inputs that come first.
"""

# pyright: basic

from typing import Any

import numpy as np

from mho.hw.noc.flit import TURNS, WANTS, Port

try:
    import numba
except ImportError:
    numba = None


def njit(function: Any) -> Any:
    """Compiled where numba is installed, and kept beside the file or in the user's cache, if one can be written."""
    if numba is None:
        return function
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


_N, _E, _S, _W, _L = (int(port) for port in Port)
_HEAD, _LENGTH, _SERVED = range(3)

TURN = np.full((5, 4), -1, dtype=np.int64)
"""Inputs that compete for an output. An argument of the loops, as :data:`ALLOWED` is: a constant would stay in what is
kept."""
ALLOWED = np.zeros(5, dtype=np.int64)
"""Bit mask of the outputs that a flit may want, by the input."""
for _port in Port:
    TURN[_port, : len(TURNS[_port])] = TURNS[_port]
    ALLOWED[_port] = sum(1 << leave for leave in WANTS[_port])


@njit
def _wants(port, x, y, columns, rows, allowed):
    """Outputs that a flit wants, a bit each, at the input ``port`` of the router at (x, y)."""
    wants = 0
    if rows & ((1 << y) - 1):
        wants |= 1 << _N
    if rows >> (y + 1):
        wants |= 1 << _S
    if rows >> y & 1:
        wants |= 1 << _L
    if port != _N and port != _S:
        if not columns >> x & 1:
            wants = 0
        if columns & ((1 << x) - 1):
            wants |= 1 << _W
        if columns >> (x + 1):
            wants |= 1 << _E
    return wants & allowed[port]


@njit
def _request(node, port, room, heads, queue):
    """Outputs that the head of an input can have."""
    state, able = queue[node, port], 0
    pending = heads[node, port] & ~state[_SERVED] if state[_LENGTH] else 0
    for leave in range(5):
        if pending >> leave & 1 and room[node, leave]:
            able |= 1 << leave
    return able


@njit
def _grant(node, leave, requests, after, turns):
    """Input that has an output in this cycle, -1 if none, by round robin."""
    granted, rivals, turn = -1, 0, 0
    for late in (True, False):
        for k in range(4):
            entry = turns[leave, k]
            if entry < 0 or not requests[entry] >> leave & 1:
                continue
            rivals += late
            if granted < 0 and (not late or after[node, leave] >> k & 1):
                granted = entry
                turn = ~((2 << k) - 1)
    if granted >= 0 and (rivals > 1 or turns[leave, 2] >= 0):
        after[node, leave] = turn
    return granted


@njit
def _take(node, port, granted, heads, queue, depth):
    """After a cycle in which outputs took a head: whether it leaves."""
    state = queue[node, port]
    if not state[_LENGTH]:
        return False
    state[_SERVED] |= granted
    if heads[node, port] & ~state[_SERVED]:
        return False
    state[_SERVED] = 0
    state[_HEAD] = (state[_HEAD] + 1) % depth
    state[_LENGTH] -= 1
    return True


@njit
def _want_head(node, port, size_x, columns, rows, heads, store, queue, allowed):
    """Note what the new head of a queue wants."""
    state = queue[node, port]
    if state[_LENGTH]:
        flit = store[node, port, state[_HEAD]]
        heads[node, port] = _wants(port, node % size_x, node // size_x, columns[flit], rows[flit], allowed)


@njit
def run(
    size_x, depth, cycles, neighbour, columns, rows, earliest, order, first, accept, store, left, injected, unroutable,
    turns, allowed,
):
    """Run until everything has arrived; see :meth:`mho.hw.noc.router.model.MeshModel.run`.

    Parameters
    ----------
    neighbour
        Node at the other end of each port's channel, -1 if there is none.
    order, first
        Flits by source, and where those of a source begin.
    store
        Room for the flits of the queues, of shape (nodes, 5, depth).
    left, injected, unroutable
        Where the results go.
    turns, allowed
        :data:`TURN` and :data:`ALLOWED`.

    Returns
    -------
    tuple of int
        Cycles that were run, and ejections.
    """
    nodes = store.shape[0]
    queue = np.zeros((nodes, 5, 3), dtype=np.int64)
    heads, after = np.zeros((nodes, 5), dtype=np.int64), np.zeros((nodes, 5), dtype=np.int64)
    room = np.zeros((nodes, 5), dtype=np.bool_)
    grants = np.zeros((nodes, 5), dtype=np.int64)  # outputs that take the head of each input
    requests = np.zeros(5, dtype=np.int64)
    pushed = np.zeros((nodes * 5, 3), dtype=np.int64)
    place, pending = first[:-1].copy(), len(order)
    opposite = np.array([2, 3, 0, 1])
    arrived = inside = 0
    for cycle in range(cycles):
        if not pending and not inside:
            return cycle, arrived
        for node in range(nodes):
            for port in range(4):
                beyond = neighbour[node, port]
                room[node, port] = beyond >= 0 and queue[beyond, opposite[port], _LENGTH] < depth
            room[node, _L] = accept[cycle % len(accept), node]
        pushes = 0
        for node in range(nodes):
            for port in range(5):
                requests[port] = _request(node, port, room, heads, queue)
                grants[node, port] = 0
            for leave in range(5):
                entry = _grant(node, leave, requests, after, turns)
                if entry >= 0:
                    grants[node, entry] |= 1 << leave
                    flit = store[node, entry, queue[node, entry, _HEAD]]
                    if leave == _L:
                        left[arrived] = cycle, node, flit
                        arrived += 1
                    else:
                        pushed[pushes] = neighbour[node, leave], opposite[leave], flit
                        pushes += 1
            if place[node] < first[node + 1]:
                flit = order[place[node]]
                if earliest[flit] <= cycle and queue[node, _L, _LENGTH] < depth:
                    pushed[pushes] = node, _L, flit
                    pushes += 1
                    place[node] += 1
                    pending -= 1
                    injected[flit] = cycle
        for node in range(nodes):
            for port in range(5):
                if port == _L and queue[node, port, _LENGTH] and not heads[node, port]:
                    unroutable[node] += 1
                if _take(node, port, grants[node, port], heads, queue, depth):
                    inside -= 1
                    _want_head(node, port, size_x, columns, rows, heads, store, queue, allowed)
        for k in range(pushes):
            node, port, flit = pushed[k]
            state = queue[node, port]
            store[node, port, (state[_HEAD] + state[_LENGTH]) % depth] = flit
            state[_LENGTH] += 1
            inside += 1
            if state[_LENGTH] == 1:
                _want_head(node, port, size_x, columns, rows, heads, store, queue, allowed)
    return cycles, arrived
