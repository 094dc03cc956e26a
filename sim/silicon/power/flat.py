"""A synthesised design without its hierarchy: which nets each cell is at, and the nets that have names."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.sim.silicon.liberty.cell import Cells

ZERO, ONE, OPEN = 0, 1, 2
"""Nets of the constants, and of what is at nothing."""

_PORT = re.compile(r"^  (?:input|output|inout) (?:\[(\d+):0\] )?(\w+);", re.MULTILINE)
_WIRE = re.compile(r"^  wire (?:\[(\d+):0\] )?(\S+?) ?;", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+) (\S+) +\(\n(.*?)^  \);", re.MULTILINE | re.DOTALL)
_PIN = re.compile(r"^    \.(\w+)\((.*)\),?$", re.MULTILINE)
_ASSIGN = re.compile(r"^  assign (.*) = (.*);", re.MULTILINE)
_PART = re.compile(r"(\d+)'([bdh])([0-9a-fxz]+)|(\\\S+|\w+) ?(?:\[(\d+)(?::(\d+))?\])?")


@dataclass(frozen=True)
class _Module:
    """A module's own netlist: numbers of its nets begin after the constants."""

    nets: int
    ports: dict[str, list[int]]
    wires: dict[str, list[int]]
    instances: list[tuple[str, str, dict[str, list[int]]]]
    same: list[tuple[list[int], list[int]]]


@lru_cache(maxsize=1024)
def _module(path: Path) -> _Module:
    text = path.read_text()
    wires: dict[str, list[int]] = {}
    nets = OPEN + 1
    for high, name in _WIRE.findall(text):
        width = int(high) + 1 if high else 1
        wires[name] = list(range(nets, nets + width))
        nets += width
    ports = {name: wires[name] for _, name in _PORT.findall(text)}
    instances = [
        (kind, name, {pin: _bits(at, wires) for pin, at in _PIN.findall(body)})
        for kind, name, body in _INSTANCE.findall(text)
    ]
    same = [(_bits(left, wires), _bits(right, wires)) for left, right in _ASSIGN.findall(text)]
    return _Module(nets, ports, wires, instances, same)


def _bits(text: str, wires: dict[str, list[int]]) -> list[int]:
    """Nets of an expression, the least significant first."""
    nets: list[int] = []
    for width, base, digits, name, high, low in reversed(_PART.findall(text)):
        if digits:
            value = int(re.sub("[xz]", "0", digits), {"b": 2, "d": 10, "h": 16}[base])
            nets += [ONE if value >> k & 1 else ZERO for k in range(int(width))]
        elif high:
            nets += wires[name][int(low or high) : int(high) + 1]
        else:
            nets += wires[name]
    return nets


@dataclass(frozen=True, kw_only=True)
class Flat:
    """A design of cells and nets."""

    nets: int
    """How many there are."""
    places: list[tuple[str, str]]
    """Path with slashes and module of each instance of a module, the top's path empty."""
    cells: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    """Of each kind of cell the place of each, and its nets, a column for each pin of the cell."""
    names: list[dict[str, NDArray[np.int64]]]
    """Nets of the wires of each place that have names, the least significant first."""


def flatten(top: str, netlists: dict[str, Path], cells: Cells) -> Flat:
    """The design below a module. Modules without a netlist are black boxes: they drive what they are at."""
    places: list[tuple[str, str]] = []
    bases: list[int] = []
    joined: list[tuple[list[int], list[int]]] = []
    count = OPEN + 1

    def visit(path: str, module: str) -> int:
        nonlocal count
        content, base = _module(netlists[module]), count - OPEN - 1
        places.append((path, module))
        bases.append(base)
        count += content.nets - OPEN - 1
        joined.extend((_shifted(left, base), _shifted(right, base)) for left, right in content.same)
        for kind, name, pins in content.instances:
            if kind in netlists:
                inner = _module(netlists[kind])
                below = visit(f"{path}/{name}" if path else name, kind)
                joined.extend(
                    (_shifted(inner.ports[port], below), _shifted(at, base)) for port, at in pins.items() if at
                )
        return base

    visit("", top)
    root = _merged(count, joined)
    kinds: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    for number, ((_, module), base) in enumerate(zip(places, bases, strict=True)):
        for kind, local in _cells_of(netlists[module], cells).items():
            kinds.setdefault(kind, []).append((np.full(len(local), number), root[_moved(local, base)]))
    return Flat(
        nets=count, places=places,
        cells={kind: (np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts]))
               for kind, parts in kinds.items()},
        names=[
            {name: root[_moved(np.array(bits), base)] for name, bits in _module(netlists[module]).wires.items()
             if not re.match(r"_\d+_$", name)}
            for (_, module), base in zip(places, bases, strict=True)
        ],
    )


def _cells_of(path: Path, cells: Cells) -> dict[str, NDArray[np.int64]]:
    """Nets of the cells of a module by kind."""
    paths: dict[str, list[list[int]]] = {}
    for kind, _, pins in _module(path).instances:
        if kind in cells:
            paths.setdefault(kind, []).append([(pins.get(pin) or [OPEN])[0] for pin in cells.cell(kind).pins])
    return {kind: np.array(rows, np.int64) for kind, rows in paths.items()}


def _shifted(bits: list[int], base: int) -> list[int]:
    return [bit if bit <= OPEN else bit + base for bit in bits]


def _moved(bits: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    return np.where(bits <= OPEN, bits, bits + base)


def _merged(count: int, joined: list[tuple[list[int], list[int]]]) -> NDArray[np.int64]:
    """The one number of each net that has several."""
    parent = list(range(count))

    def find(net: int) -> int:
        while parent[net] != net:
            parent[net] = parent[parent[net]]
            net = parent[net]
        return net

    for left, right in joined:
        for left_net, right_net in zip(left, right, strict=False):
            a, b = find(left_net), find(right_net)
            if a != b:
                parent[max(a, b)] = min(a, b)
    root = np.array(parent)
    while not np.array_equal(root, root[root]):
        root = root[root]
    return root
