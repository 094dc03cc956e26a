"""Fields at the spins from the cores: couplings as cells, used in both directions, codes brought to one scale.

Spins are in blocks of as many as a core has rows; a core has the couplings of one block to some others side by side.
Forward it gives the field that its block makes at those, backward the field that those make at its block. So each
coupling of a symmetric problem is stored once. The couplings within a block are stored as they are and used forward.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.devices import Device, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.vector import scale_leaf
from mho.macro_models.scaling import blocks_of, scaled_lines
from mho.sampler.problem import Problem, Reals

TRIALS = 256
"""Random states of which steps of the converters and scales of the codes are found, on ideal cells."""
LANES = 1 << 13
"""Largest field, in lanes of 16 bits."""
_TOP = (1 << 15) - 1
_FORWARD, _BACKWARD = Direction.FORWARD, Direction.BACKWARD

Numbers = NDArray[np.intp]
Spins = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """What a core holds: couplings of the spins ``rows`` to ``columns``; ``inner`` are columns that are rows, too."""

    rows: Numbers
    columns: Numbers
    inner: NDArray[np.bool_]


def pieces_of(problem: Problem, rows: int, columns: int) -> tuple[list[Numbers], list[Piece]]:
    """All blocks of spins, and what the cores hold, each of so many rows and columns."""
    high, wide = problem.couplings.shape
    if not problem.symmetric:
        visible, hidden = blocks_of(high, rows), blocks_of(wide, columns, high)
        return [*visible, *hidden], [Piece(rows=v, columns=h, inner=np.isin(h, v)) for v in visible for h in hidden]
    blocks, pieces = blocks_of(high, min(rows, columns)), list[Piece]()
    count, beside = len(blocks), columns // max(map(len, blocks))
    for k, block in enumerate(blocks):
        # Around a ring: of each pair of blocks one has the other, and all have about as many.
        partners = [(k + d) % count for d in range(count // 2 + 1) if 2 * d != count or k < count // 2]
        for at in range(0, len(partners), beside):
            others = np.concatenate([blocks[q] for q in partners[at : at + beside]])
            pieces.append(Piece(rows=block, columns=others, inner=np.isin(others, block)))
    return blocks, pieces


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledProduct:
    """A product of a core with the multipliers of its lines, (lines of an output, outputs), and their shift."""

    op: MvmOperation
    lines: Numbers
    multiplier: NDArray[np.int64]
    shift: int


class Fields:
    """The cores of a problem, programmed, and the fields that they give.

    Raises InputError if products of the chip's cores go one way alone, or it has too few of them.

    Parameters
    ----------
    problem, chip
        What is held where.
    device, seed, time_s
        Cells, the number of the chip, seconds since programming.
    out_bits
        Of the converters, 2..8.

    Members
    -------
    blocks, pieces
        Spins by their blocks, and what each core holds.
    homes
        The core whose tile draws for each block: the first one that holds couplings of it.
    targets_uS, products
        Of each core: conductances of its cells, NaN where none is formed; its product in each direction.
    unit, bias
        Lanes of a field of 1, and the bias of each spin in lanes.
    """

    def __init__(
        self, problem: Problem, chip: Chip, *, device: Device, seed: int, time_s: float, out_bits: int
    ) -> None:
        if not chip.operation_type.both_ways():
            raise InputError(f"a sampler takes cores whose products go both ways, not core.kind {chip.core.kind}")
        config, model = chip.macro_config(), family(chip.core.kind).model
        self._map, self._timing, self._lines = config.cell_map, timing(chip), chip.lines
        self._operation_type = chip.operation_type
        self.blocks, self.pieces = pieces_of(problem, self._map.rows, self._map.columns)
        if len(self.pieces) > chip.cores:
            raise InputError(f"{chip.name}: a chip must have {len(self.pieces)} cores for {problem.spins} spins, not "
                             f"{chip.cores}: --set mesh.columns={len(self.pieces)} --set mesh.rows=1")
        self.homes = [next(k for k, piece in enumerate(self.pieces) if block[0] in (*piece.rows, *piece.columns))
                      for block in self.blocks]
        self.unit = LANES / float((np.abs(problem.matrix).sum(axis=1) + np.abs(problem.bias)).max())
        self.bias = np.rint(problem.bias * self.unit).astype(np.int64)
        low, high = chip.cells.g_min_uS, chip.cells.g_max_uS
        scale = self._map.top(low, high) / np.abs(problem.couplings).max()
        self._cores, self.targets_uS = list[MacroModel](), list[NDArray[np.float32]]()
        self.products, self._masks = list[dict[Direction, ScaledProduct]](), dict[tuple[int, bytes], Masks]()
        rng = np.random.default_rng(0)
        for k, piece in enumerate(self.pieces):
            couplings = problem.matrix[np.ix_(piece.rows, piece.columns)]
            cells = np.where(couplings == 0, np.nan, self._map.split(scale * couplings, low, high))
            targets = np.full(self._map.shape, np.nan, np.float32)
            self._map.put(targets, np.arange(len(piece.rows)), np.arange(len(piece.columns)), cells)
            self.targets_uS.append(targets)
            self._cores.append(model(config, targets, device=device, seed=seed, core=k, time_s=time_s))
            exact = model(config, targets, device=load_device("ideal"), seed=seed, core=k)
            states = rng.choice(problem.values, (TRIALS, problem.spins))
            self.products.append({direction: self._scaled(exact, piece, direction, np.nan_to_num(targets) / scale,
                                                          out_bits, states) for direction in Direction})

    def _scaled(
        self, core: MacroModel, piece: Piece, direction: Direction, cells: Reals, out_bits: int, states: Spins
    ) -> ScaledProduct:
        """Steps and scales with which a product of ideal cells gives its part of the field best."""
        forward, x, masks = direction is _FORWARD, self._inputs(piece, direction, states), Masks.reset(self._lines)
        make = self._operation_type
        op = make(in_bits=1, in_signed=bool((states < 0).any()), out_bits=out_bits).facing(direction)
        lines = np.arange(len(piece.columns))[None] if forward else self._map.lines_of(np.arange(len(piece.rows)))
        # Forward each row drives both of its lines, with opposite signs.
        exact = x @ (cells[0::2] - cells[1::2]) if forward else x @ cells.T
        op, values = scaled_lines(core, op, masks, x, lines, exact[:, lines])
        factor = self.unit * (values if forward else values * np.array([[1], [-1]]))
        shift = int(np.clip(np.floor(np.log2(_TOP / max(np.abs(factor).max(), 1e-9))), 0, 24))
        return ScaledProduct(op=op, lines=lines, shift=shift, multiplier=np.rint(factor * 2.0**shift).astype(np.int64))

    def _inputs(self, piece: Piece, direction: Direction, spins: Spins) -> Spins:
        forward = direction is _FORWARD
        x = np.zeros((len(spins), self._map.rows if forward else self._map.columns), np.int16)
        taken = spins[:, piece.rows] if forward else np.where(piece.inner, 0, spins[:, piece.columns])
        x[:, : taken.shape[1]] = taken
        return x

    def compute(self, spins: Spins, moving: Numbers, number: NDArray[np.uint64]) -> tuple[NDArray[np.int16], int]:
        """Fields without bias at the ``moving`` spins, in lanes (chains, moving); analog cycles of the longest core.

        ``number`` is that of the first conversion of each chain (chains,), uint64, of which a step has two.
        """
        at = np.full(spins.shape[1], -1)
        at[moving] = np.arange(len(moving))
        lanes, busiest = np.zeros((len(spins), len(moving)), np.int16), 0
        for k, piece in enumerate(self.pieces):
            cycles = 0
            for direction, outputs in ((_FORWARD, piece.columns), (_BACKWARD, piece.rows)):
                places = np.flatnonzero(at[outputs] >= 0)
                if not places.size or (direction is _BACKWARD and piece.inner.all()):
                    continue
                product = self.products[k][direction]
                lines = product.lines[:, places]
                result = self._cores[k].mvm(product.op, self._converted(direction, lines), self._inputs(
                    piece, direction, spins), number + np.uint64(direction))
                for side, multiplier in zip(lines, product.multiplier[:, places], strict=True):
                    lanes[:, at[outputs[places]]] += scale_leaf(result.codes[:, side], multiplier, product.shift)
                cycles += int(self._timing.analog_cycles(product.op, result.steps).mean())
            busiest = max(busiest, cycles)
        return lanes, busiest

    def _converted(self, direction: Direction, lines: Numbers) -> Masks:
        """Masks with which a core converts some lines alone."""
        key = direction, lines.tobytes()
        if key not in self._masks:
            off = np.zeros(self._lines, bool)
            self._masks[key] = Masks(~off, np.isin(np.arange(self._lines), lines), off, off)
        return self._masks[key]


def moving_of(problem: Problem, blocks: list[Numbers], parts: int) -> list[list[tuple[int, Numbers]]]:
    """Which spins of which blocks move in each step of a round: the hidden ones, then the visible ones; or a part."""
    if problem.symmetric:
        parts = min(parts, max(map(len, blocks)))
        cut = [np.array_split(block, parts) for block in blocks]
        return [[(k, own[part]) for k, own in enumerate(cut) if own[part].size] for part in range(parts)]
    high = len(problem.couplings)
    return [[(k, block) for k, block in enumerate(blocks) if (block[0] >= high) == hidden] for hidden in (True, False)]
