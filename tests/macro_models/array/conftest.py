"""Independent references of resistive arrays: the circuit as a list of resistors, and three solvers of it."""

import itertools
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu


@dataclass
class Circuit:
    """Resistors between named nodes; ``s<k>`` are sources, ``o<k>`` grounded senses or, in voltage mode, open feet."""

    resistors: list
    driven: int
    read: int
    mode: str

    def nodes(self):
        """Node names after zero resistances are merged: name -> representative, sources and ground preferred."""
        parent = {}

        def find(a):
            while parent.setdefault(a, a) != a:
                a = parent[a]
            return a

        for a, b, ohm in self.resistors:
            a, b = find(a), find(b)
            if ohm == 0 and a != b:
                keep, lose = (a, b) if self.fixed(a) else (b, a)
                assert not self.fixed(lose)
                parent[lose] = keep
        return {name: find(name) for name in parent}

    def fixed(self, node):
        return node[0] == "s" or (node[0] == "o" and self.mode == "current")


def circuit(g, wires, mode, backward=False):
    """Every line is driven or sensed at its terminal: a row at column 0, a column at row N - 1."""
    n, m = g.shape
    row = [[(f"w{i}_{j}", f"w{i}_{j + 1}", wires.r_row_ohm) for j in range(m - 1)] for i in range(n)]
    col = [[(f"b{i}_{j}", f"b{i + 1}_{j}", wires.r_col_ohm) for i in range(n - 1)] for j in range(m)]
    cells = [(f"w{i}_{j}", f"b{i}_{j}", 1 / Fraction(g[i, j])) for i in range(n) for j in range(m) if g[i, j]]
    row_end = [(f"w{i}_0", wires.r_row_ohm) for i in range(n)]
    col_end = [(f"b{n - 1}_{j}", wires.r_col_ohm) for j in range(m)]
    driven, read = (col_end, row_end) if backward else (row_end, col_end)
    lines, live = (row, g.any(axis=1)) if backward else (col, g.any(axis=0))
    resistors = [*cells, *itertools.chain.from_iterable(col if backward else row)]
    resistors += [(f"s{k}", node, Fraction(wires.r_driver_ohm) + Fraction(r)) for k, (node, r) in enumerate(driven)]
    for k, (node, r) in enumerate(read):
        if mode == "current":
            resistors += [*lines[k], (f"o{k}", node, Fraction(wires.r_sense_ohm) + Fraction(r))]
        elif live[k]:  # an open line without cells touches nothing
            resistors += [*lines[k], (f"o{k}", node, 0)]
    return Circuit(resistors, len(driven), len(read), mode)


def nodal(c):
    """Conductances among free nodes and from them to fixed ones: (index, {(a, b): siemens}, merged names)."""
    name = c.nodes()
    free = sorted({v for v in name.values() if not c.fixed(v)})
    index = {v: k for k, v in enumerate(free)}
    inner, outer = {}, {}
    for a, b, ohm in c.resistors:
        a, b = name[a], name[b]
        if a == b:
            continue
        siemens = 1 / Fraction(ohm)
        for p, q in ((a, b), (b, a)):
            if p not in index:
                continue
            inner[index[p], index[p]] = inner.get((index[p], index[p]), 0) + siemens
            target, key = (inner, (index[p], index[q])) if q in index else (outer, (index[p], q))
            target[key] = target.get(key, 0) + (-siemens if q in index else siemens)
    return name, index, inner, outer


def outputs(c, name, index, outer, v, k, unit):
    """Output k for node voltages ``v`` (rows) per source (columns)."""
    if c.mode == "voltage":
        node = name.get(f"o{k}")
        if node is None:
            return [0 * unit] * c.driven
        if c.fixed(node):
            return [unit if node == f"s{s}" else 0 * unit for s in range(c.driven)]
        return list(v[index[node]])
    total = [0 * unit] * c.driven
    for (p, q), siemens in outer.items():
        if q == f"o{k}":
            total = [t + type(unit)(siemens) * x for t, x in zip(total, v[p], strict=True)]
    for a, b, ohm in c.resistors:  # a resistor from a source straight to this sense
        ends = {name[a], name[b]}
        if f"o{k}" in ends and len(ends) == 2 and (node_at_end := (ends - {f"o{k}"}).pop())[0] == "s":
            total[int(node_at_end[1:])] += type(unit)(1 / Fraction(ohm))
    return total


def solve_exact(g, wires, mode, backward=False):
    """Effective matrix by Gaussian elimination in rational numbers: no rounding at all."""
    c = circuit(g, wires, mode, backward)
    name, index, inner, outer = nodal(c)
    a = [[inner.get((p, q), Fraction(0)) for q in range(len(index))] for p in range(len(index))]
    b = [[outer.get((p, f"s{s}"), Fraction(0)) for s in range(c.driven)] for p in range(len(index))]
    size = len(a)
    for k in range(size):
        for i in range(size):
            if i != k and a[i][k]:
                factor = a[i][k] / a[k][k]
                a[i] = [x - factor * y for x, y in zip(a[i], a[k], strict=True)]
                b[i] = [x - factor * y for x, y in zip(b[i], b[k], strict=True)]
    v = [[x / a[k][k] for x in b[k]] for k in range(size)]
    rows = [outputs(c, name, index, outer, v, k, Fraction(1)) for k in range(c.read)]
    return np.array([[float(x) for x in row] for row in rows]).T


def sparse_nodal(c):
    """Nodal matrix and injections in double precision: (name, index, outer, matrix, (free, driven))."""
    name, index, inner, outer = nodal(c)
    keys = np.array(list(inner), dtype=int)
    values = np.array([float(x) for x in inner.values()])
    a = sp.csc_matrix((values, (keys[:, 0], keys[:, 1])), shape=(len(index), len(index)))
    b = np.zeros((len(index), c.driven))
    for (p, q), siemens in outer.items():
        if q[0] == "s":
            b[p, int(q[1:])] = float(siemens)
    return name, index, outer, a, b


def solve_sparse(g, wires, mode, backward=False):
    """Effective matrix by a sparse LU of all nodes."""
    c = circuit(g, wires, mode, backward)
    name, index, outer, a, b = sparse_nodal(c)
    v = splu(a).solve(b)
    return np.array([outputs(c, name, index, outer, v, k, 1.0) for k in range(c.read)]).T


def run_ngspice(text, folder):
    """Run a deck, in at most two minutes of CPU; the values of its ``print`` lines in order, by name."""
    deck = folder / "array.cir"
    deck.write_text(text)
    command = ["sh", "-c", 'ulimit -t 120; exec ngspice -b -n "$0"', str(deck)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    printed = re.findall(r"^(\S+) = (\S+)$", done.stdout, re.MULTILINE)
    assert printed, done.stdout + done.stderr
    return {key: float(value) for key, value in printed}


def solve_ngspice(g, wires, mode, x, folder, backward=False):
    """Outputs for one vector by ngspice's operating point."""
    c = circuit(g, wires, mode, backward)
    name = c.nodes()
    lines = ["array", *(f"Vs{k} s{k} 0 {float(v)!r}" for k, v in enumerate(x))]
    if mode == "current":
        lines += [f"Vo{k} o{k} 0 0" for k in range(c.read)]
    for k, (a, b, ohm) in enumerate(c.resistors):
        if name[a] != name[b]:
            lines.append(f"R{k} {name[a]} {name[b]} {float(ohm)!r}")
    probes = [f"i(vo{k})" if mode == "current" else f"v({name[f'o{k}']})" for k in range(c.read) if f"o{k}" in name]
    lines += [".options klu reltol=1e-9 abstol=1e-18 vntol=1e-12 gmin=1e-20 numdgt=15", ".control", "set numdgt=15"]
    lines += ["op", *(f"print {w}" for w in probes), "quit", ".endc", ".end"]
    by_probe = run_ngspice("\n".join(lines) + "\n", folder)
    values = iter([by_probe[w] for w in probes])
    return np.array([next(values) if f"o{k}" in name else 0.0 for k in range(c.read)])


@pytest.fixture(scope="session")
def reference():
    return SimpleNamespace(
        circuit=circuit,
        exact=solve_exact,
        ngspice=solve_ngspice,
        run_ngspice=run_ngspice,
        sparse=solve_sparse,
        sparse_nodal=sparse_nodal,
    )
