"""Bit-exact reference of write-verify, for all cells at once.

Cells behind transistors do not see each other, so that each can be followed on its own: in every round each cell that
is not done takes one step of the algorithm. The hardware does the same cell by cell, and the pulses are sorted into its
order. Without transistors the reference goes cell by cell as well.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.macro_models.integer.pulse import Polarity

Codes = NDArray[np.int64]

PULSE = np.dtype([
    ("write_pass", np.uint8), ("row", np.uint16), ("col", np.uint16), ("polarity", np.uint8), ("amplitude", np.uint8),
    ("cycles", np.uint32),
])
"""One pulse: number of the pass, bit line, source line, :class:`Polarity`, amplitude code, width in cycles."""


RECORD = np.dtype([("row", np.uint16), ("col", np.uint16), ("polarity", np.uint8), ("count", np.uint16)])
"""Pulses of a blind run for one cell: bit line, source line, :class:`Polarity` (SET or RESET), how many, from 1 up."""


class WriteMacro(Protocol):
    """What is programmed. Cells are flattened indices ``row * columns + col`` of shape (n,), no cell twice in a call.

    What a cell does must depend on the cell and its own past alone, unless ``cfg.bias`` says that cells see each other;
    reads disturb none.
    """

    def verify(self, cells: NDArray[np.int64]) -> Codes:
        """Verify reads, codes of shape (n,)."""
        ...

    def pulse(self, cells: NDArray[np.int64], polarity: Codes, amplitude: Codes, cycles: Codes) -> None:
        """One pulse for each cell."""
        ...

    def relax(self, write_pass: int) -> None:
        """The wait before pass ``write_pass``, from 1."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteVerifyResult:
    """What write-verify did."""

    pulses: NDArray[np.void]
    """All pulses in the order of the hardware, of type :data:`PULSE`."""
    codes: Codes
    """Last verify code of each cell in each pass, shape (passes, lines, columns); 0 where a cell was skipped."""
    faults: NDArray[np.bool_]
    """Cells that were given up in each pass, of the same shape. The last is the fault map."""
    counts: Codes
    """Pulses of each cell in each pass, of the same shape."""
    reads: Codes
    """Verify reads of each cell in each pass, of the same shape."""


class _Pass:
    """One pass over the array."""

    def __init__(self, p: WriteVerifyParameters, targets: Codes, macro: WriteMacro) -> None:
        self.p, self.targets, self.macro = p, targets, macro
        n = targets.size
        self.codes, self.reads, self.counts, self.amplitude = np.zeros((4, n), dtype=np.int64)
        self.faults = np.zeros(n, dtype=np.bool_)
        self.reversals, self.at_ceiling, self.confirmed = np.zeros((3, n), dtype=np.int64)
        self.polarity = np.full(n, -1, dtype=np.int64)
        self.pulses: list[tuple[NDArray[np.int64], ...]] = []
        kinds = ("set", "reset", "form")
        self.start, self.step, self.ceiling, self.width = (
            np.array([getattr(p, f"{kind}_{what}") for kind in kinds], dtype=np.int64)
            for what in ("start", "step", "ceiling", "cycles")
        )

    def run(self, cells: NDArray[np.int64]) -> None:
        """Program ``cells``."""
        while cells.size:
            self.codes[cells] = self.macro.verify(cells)
            self.reads[cells] += 1
            inside = self._inside(cells)
            done = inside & (self.confirmed[cells] == self.p.confirmations)
            self.confirmed[cells] = np.where(inside, self.confirmed[cells] + 1, 0)
            pulsed = self._pulse(cells[~inside])
            cells = np.sort(np.concatenate([cells[inside & ~done], pulsed]))

    def _inside(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        error = self.codes[cells] - self.targets[cells]
        return error >= 0 if self.p.form else np.abs(error) <= self.p.tolerance

    def _pulse(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give one pulse to each of ``cells`` that is not given up, and return those."""
        if not cells.size:
            return cells
        p, last = self.p, self.polarity[cells]
        low = self.codes[cells] < self.targets[cells]
        polarity = np.where(p.form, Polarity.FORM, np.where(low, Polarity.SET, Polarity.RESET)).astype(np.int64)
        reversal = (last >= 0) & (polarity != last)
        ceiling = self.ceiling[polarity]
        more = np.minimum(self.amplitude[cells] + self.step[polarity], ceiling)
        amplitude = np.where(polarity == last, more, self.start[polarity])
        at_ceiling = np.where(reversal, 0, self.at_ceiling[cells])
        top = amplitude == ceiling
        given_up = (
            (reversal & (self.reversals[cells] == p.max_reversals))
            | (top & (at_ceiling == p.max_at_ceiling))
            | (self.counts[cells] == p.max_pulses)
        )
        self.faults[cells[given_up]] = True
        on, cells = ~given_up, cells[~given_up]
        self.polarity[cells], self.amplitude[cells] = polarity[on], amplitude[on]
        self.reversals[cells] += reversal[on]
        self.at_ceiling[cells] = (at_ceiling + top)[on]
        self.counts[cells] += 1
        width = self.width[polarity[on]]
        self.pulses.append((cells, self.counts[cells], polarity[on], amplitude[on], width))
        if cells.size:
            self.macro.pulse(cells, polarity[on], amplitude[on], width)
        return cells


def program(
    cfg: WriteVerifyConfig, parameters: WriteVerifyParameters, targets: NDArray[np.integer], macro: WriteMacro,
    skip: NDArray[np.bool_] | None = None,
) -> WriteVerifyResult:
    """Program an array. Bit-exact reference of :class:`mho.hw.core.write_verify.engine.WriteVerify`.

    Parameters
    ----------
    targets
        Verify codes [bit line, source line] to reach, of shape (lines, columns); when forming, codes from which on a
        cell is formed.
    skip
        Cells to leave alone, of the same shape.
    """
    flat = np.asarray(targets, dtype=np.int64).ravel()
    shape = cfg.shape
    if flat.size != cfg.cells or flat.min() < 0 or flat.max() >= 2**cfg.verify_bits:
        raise ValueError(f"Targets must be {shape} codes of {cfg.verify_bits} bits, not of shape {np.shape(targets)}")
    chosen = np.arange(flat.size) if skip is None else np.flatnonzero(~np.asarray(skip).ravel())
    passes = []
    for number in range(parameters.passes):
        if number:
            macro.relax(number)
        passes.append(_Pass(parameters, flat, macro))
        for cells in chosen[:, None] if cfg.bias and parameters.max_pulses else [chosen]:
            passes[-1].run(cells)
    return WriteVerifyResult(
        pulses=np.concatenate([_in_order(outcome, number, shape[1]) for number, outcome in enumerate(passes)]),
        **{
            name: np.stack([getattr(outcome, name).reshape(shape) for outcome in passes])
            for name in ("codes", "faults", "counts", "reads")
        },
    )


def give_pulses(
    cfg: WriteVerifyConfig, parameters: WriteVerifyParameters, records: NDArray[np.void], macro: WriteMacro
) -> NDArray[np.void]:
    """A blind run. Bit-exact reference of :class:`mho.hw.core.write_verify.blind.BlindRuns`.

    Amplitudes are ``set_start`` and ``reset_start`` of ``parameters``, widths ``set_cycles`` and ``reset_cycles``.

    Parameters
    ----------
    records
        Of type :data:`RECORD`, in the order in which they are given.

    Returns
    -------
    numpy.ndarray
        All pulses in their order, of type :data:`PULSE`.
    """
    check_records(cfg, records)
    kinds = ("set", "reset")
    start, width = (np.array([getattr(parameters, f"{kind}_{what}") for kind in kinds]) for what in ("start", "cycles"))
    repeated = np.repeat(records, records["count"])
    pulses = np.zeros(len(repeated), dtype=PULSE)
    for name in ("row", "col", "polarity"):
        pulses[name] = repeated[name]
    pulses["amplitude"], pulses["cycles"] = start[repeated["polarity"]], width[repeated["polarity"]]
    cell = repeated["row"].astype(np.int64) * cfg.shape[1] + repeated["col"]
    order = np.argsort(cell, kind="stable")
    # Which pulse of its cell each is; where cells see each other's pulses, all in turn.
    turn = np.empty(len(cell), dtype=np.int64)
    turn[order] = np.arange(len(cell)) - np.searchsorted(cell[order], cell[order])
    for now in range(len(cell)) if cfg.bias else range(int(turn.max(initial=-1)) + 1):
        at = [now] if cfg.bias else np.flatnonzero(turn == now)
        macro.pulse(cell[at], *(pulses[name][at].astype(np.int64) for name in ("polarity", "amplitude", "cycles")))
    return pulses


def check_records(cfg: WriteVerifyConfig, records: NDArray[np.void]) -> None:
    """Refuse records that a blind run cannot have.

    Raises ValueError, saying what they must be.
    """
    (rows, columns), most = cfg.shape, 2**cfg.verify_bits - 1
    fits = (records["row"] < rows) & (records["col"] < columns) & (records["polarity"] <= Polarity.RESET)
    if not (cfg.pulses and np.all(fits & (records["count"] >= 1) & (records["count"] <= most))):
        raise ValueError(f"Records must be 1 to {most} SET or RESET pulses each of one of {rows} x {columns} cells")


def blind_cycles(cfg: WriteVerifyConfig, records: NDArray[np.void], pulses: NDArray[np.void]) -> int:
    """Cycles from the start of a blind run to its end, if nothing makes it wait; ``pulses`` as it gave them."""
    lines = np.stack([records["row"], records["col"]]).astype(np.int64)
    walk = np.diff(lines, axis=1, prepend=0) % np.array(cfg.shape)[:, None]
    pulsing = len(pulses) * cfg.setup_cycles + int(pulses["cycles"].sum(dtype=np.int64))
    return 1 + 2 * len(records) + int(walk.max(axis=0).sum()) + pulsing


def _in_order(outcome: _Pass, number: int, columns: int) -> NDArray[np.void]:
    """Pulses of a pass, cell by cell."""
    cell, count, polarity, amplitude, width = (
        np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        for parts in (zip(*outcome.pulses, strict=True) if outcome.pulses else [()] * 5)
    )
    order = np.lexsort((count, cell))
    result = np.empty(order.size, dtype=PULSE)
    values = (np.full(order.size, number), cell // columns, cell % columns, polarity, amplitude, width)
    for name, value in zip(PULSE.names or (), values, strict=True):
        result[name] = value[order]
    return result


def cycles(cfg: WriteVerifyConfig, parameters: WriteVerifyParameters, reads: int, pulses: NDArray[np.void]) -> int:
    """Cycles from the start of a run to its end, if neither streams nor the macro make it wait.

    The fault map is cleared first, in ``map_words + 1`` cycles. A cell costs 2 cycles, a read ``verify_cycles`` and one
    to decide, a pulse ``setup_cycles`` and its width.

    Parameters
    ----------
    reads
        Verify reads of the run.
    pulses
        Its pulses, of type :data:`PULSE`.
    """
    cells = 2 * parameters.passes * cfg.cells
    waits = (parameters.passes - 1) * parameters.wait_cycles
    pulsing = len(pulses) * cfg.setup_cycles + int(pulses["cycles"].sum(dtype=np.int64))
    return cfg.map_words + 1 + cells + waits + pulsing + int(reads) * (cfg.verify_cycles + 1)


def map_words(cfg: WriteVerifyConfig, faults: NDArray[np.bool_]) -> list[int]:
    """Words of the fault map for ``faults`` of shape (lines, columns): row by row, lowest source line in bit 0."""
    lines = np.zeros((cfg.lines, cfg.row_words * cfg.map_width), dtype=np.uint8)
    lines[:, : cfg.shape[1]] = faults
    rows = lines.reshape(cfg.map_words, cfg.map_width)
    return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]


def dead_lines(faults: NDArray[np.bool_], limit: float = 0.5) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Bit lines and source lines of which more than the part ``limit`` is faulty, each of shape (lines,).

    Source lines are judged by the cells on live bit lines, so that a dead bit line does not count against them.
    """
    rows = faults.mean(axis=1) > limit
    live = faults[~rows]
    columns = live.mean(axis=0) > limit if len(live) else np.zeros(faults.shape[1], dtype=np.bool_)
    return rows, columns
