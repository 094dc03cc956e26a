"""Voltage-mode sensing in exact integers: what one conversion sees of an array.

A :class:`Key` stands for everything that depends on the programmed cells, the direction and the word lines alone. Its
matrices hold integers in floating point, in single precision where every sum that can occur stays below 2**24, so that
BLAS gives the same value in whatever order it adds; otherwise in double.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mho.macro_models.arrays import product as exact_product
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS
from mho.macro_models.integer.random import LANES, NORMAL_ONE, Purpose, normal_blocks
from mho.macro_models.integer.shift_register import ShiftRegister
from mho.macro_models.tnsa.traps import LineTraps
from mho.macro_models.types import Array, Flags, Indices, Integers, Reals

INPUT_TOP = 2**LSB_SEGMENT_BITS - 1
"""Largest magnitude on a line in one conversion."""

SINGLE_EXACT = 2.0**24
"""Integers up to here are exact in single precision, and so are sums that stay below."""

_Float = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Steps:
    """Decrements of all lines for one step code: even integers, positive."""

    pos: Integers
    """Taken from a positive charge, of shape (lines,)."""
    neg: Integers
    """Taken from a negative charge, of shape (lines,)."""
    floats: dict[DTypeLike, tuple[_Float, _Float]] = field(init=False)
    equal: bool = field(init=False)
    """Whether both polarities agree on every line, so that counting and binary search give the same."""

    def __post_init__(self) -> None:
        pairs = {kind: (self.pos.astype(kind), self.neg.astype(kind)) for kind in (np.float32, np.float64)}
        object.__setattr__(self, "floats", pairs)
        object.__setattr__(self, "equal", bool(np.array_equal(self.pos, self.neg)))


@dataclass(frozen=True, eq=False)
class Spread:
    """Read noise of a :class:`Product`: variances of the cells."""

    square: _Float
    """Meets the squares of the inputs, of shape (inputs, lines), or (inputs, 1) where all lines are alike."""
    cross: _Float | None
    """Meets the inputs, of the same shape; None where it is zero."""


@dataclass(frozen=True, eq=False)
class Product:
    """The array as one kind of input sees it: its physical lines, or differential pairs of them."""

    matrix: _Float
    """Integer conductances, of shape (inputs, lines)."""
    peak: int
    """Largest sum of magnitudes of a column: bounds the accumulator for inputs of magnitude 1."""
    spread: Spread | None
    """Read noise, None if there is none."""
    inputs: tuple[NDArray[np.intp], Reals]
    """For each physical line that can be driven the input that it takes, and the factor on it: 1, -1, or 0."""

    @cached_property
    def wide(self) -> Reals:
        """The matrix in double precision."""
        return self.matrix.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Key:
    """An array in one direction with some word lines on (see the module)."""

    backward: bool
    wl: Flags
    """Word lines that are on, skipped lines taken off, of shape (lines,)."""
    k: Indices
    """Effective integer conductances, of shape (driven lines, converted lines): the cells, seen through the wires."""
    sum_g: Integers
    """Sum of the cells of each converted line over the rows whose word line is on."""
    offset: Integers
    """Offset of each line in halves of the accumulator: odd."""
    gain: Reals
    """Relative error of the step of each line, of shape (2, lines): from a positive, from a negative charge."""
    output_noise: Reals | None
    """Standard deviation of the converters' noise on each line in ``1 / NORMAL_ONE`` of an accumulator unit, so that
    it multiplies normal codes; None if there is none."""
    variance: Reals | None
    """Read-noise variances of the cells, of shape (driven, converted), in the square of the same unit, on the grid of
    :func:`variance_unit`; None if there is none."""
    register: ShiftRegister | None = None
    """What makes the read noise in place of the cells: ``variance`` is 1 where an input counts, and 0 elsewhere."""
    traps: LineTraps | None = None
    """Traps of single cells of the converted lines; None if there are none."""
    blocks: NDArray[np.uint64] | None = None
    """The converted lines, where a key has not all of them: blocks of eight, as draws are made, in order."""
    whole: "Key | None" = None
    """The key of all lines, of one that has not all."""
    inverse: Reals = field(init=False)
    """``1 / sum_g``, 0 for lines without any conductance."""
    total: Reals | None = field(init=False)
    """Sum of the variances of each converted line."""
    offset_floats: dict[DTypeLike, _Float] = field(init=False)
    """The offsets in single and double precision."""
    reach: float = field(init=False)
    """No line settles beyond this many times the largest input: 1, but for the rounding of effective conductances."""
    _types: dict[tuple[int, int], type] = field(init=False, default_factory=dict)
    _narrowed: dict[bytes, "Key"] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "inverse", np.where(self.sum_g > 0, 1.0 / np.maximum(self.sum_g, 1), 0.0))
        set_field(self, "reach", float((np.abs(self.k).sum(axis=0, dtype=np.int64) * self.inverse).max(initial=0.0)))
        set_field(self, "total", None if self.variance is None else self.variance.sum(axis=0))
        set_field(self, "offset_floats", {kind: self.offset.astype(kind) for kind in (np.float32, np.float64)})

    @cached_property
    def lines(self) -> Product:
        """For inputs on physical lines."""
        n = len(self.k)
        return _product(self.k, self.variance, self.variance, (np.arange(n), np.ones(n)))

    @cached_property
    def pairs(self) -> Product | None:
        """For differential inputs, forward only: input r is on line 2r, its negative on line 2r + 1."""
        if self.backward:
            return None
        even, odd = self.k[0::2], self.k[1::2]
        square = cross = None
        if self.variance is not None:
            square = self.variance[0::2] + self.variance[1::2]
            cross = self.variance[0::2] - self.variance[1::2]
        n = len(self.k)
        return _product(even - odd, square, cross, (np.arange(n) // 2, np.tile([1.0, -1.0], n // 2)))

    @property
    def quiet(self) -> bool:
        """Whether nothing is drawn for a conversion."""
        return self.register is None and self.variance is None and self.output_noise is None and self.traps is None

    @property
    def columns(self) -> NDArray[np.intp] | slice:
        """Which lines of the core the converted lines are, as an index."""
        return slice(None) if self.blocks is None else lines_of(self.blocks)

    def narrow(self, enabled: Flags) -> "Key":
        """The key of those blocks of eight lines in which a line is enabled: what they give, and no more. Cached."""
        if len(enabled) % LANES:
            return self
        used = enabled.reshape(-1, LANES).any(axis=1)
        if used.all() or not used.any():
            return self
        name = used.tobytes()
        if name not in self._narrowed:
            blocks = np.flatnonzero(used).astype(np.uint64)
            at = lines_of(blocks)
            self._narrowed[name] = replace(
                self,
                blocks=blocks,
                whole=self,
                k=np.ascontiguousarray(self.k[:, at]),
                sum_g=self.sum_g[at],
                offset=self.offset[at],
                gain=self.gain[:, at],
                output_noise=None if self.output_noise is None else self.output_noise[at],
                variance=None if self.variance is None else np.ascontiguousarray(self.variance[:, at]),
                traps=None if self.traps is None else self.traps.narrow(at),
            )
        return self._narrowed[name]

    def draws(
        self, product: Product, op_id: NDArray[np.uint64], seed: int, core: int
    ) -> tuple[NDArray[np.int16] | None, NDArray[np.int16] | None]:
        """Normal codes of the read noise and of the converters' noise, (batch, lines); None for what is not there.

        Of a shift register: its deviates.
        """
        read = None
        if self.register is not None:
            lines = LANES * (int(self.draw_blocks[-1]) + 1)
            read = self.register.draws(op_id, lines)[:, self.columns][:, : self.k.shape[1]]
        elif product.spread is not None:
            read = self.drawn(Purpose.READ_NOISE, op_id, seed, core)
        return read, self.drawn(Purpose.OUTPUT_NOISE, op_id, seed, core) if self.output_noise is not None else None

    def drawn(self, purpose: Purpose, op_id: NDArray[np.uint64], seed: int, core: int) -> NDArray[np.int16]:
        """A normal code for each line and conversion, of shape (batch, lines)."""
        codes = normal_blocks(purpose, seed=seed, core=core, block=self.draw_blocks, op_id=op_id[:, None])
        return codes.reshape(len(op_id), -1)[:, : self.k.shape[1]]

    @cached_property
    def draw_blocks(self) -> NDArray[np.uint64]:
        """Numbers of the blocks of eight draws of the converted lines."""
        return np.arange(-(-self.k.shape[1] // LANES), dtype=np.uint64) if self.blocks is None else self.blocks

    def bound(self, product: Product, x_top: int) -> float:
        """No charge of this key exceeds this magnitude for inputs up to ``x_top``."""
        # A normal of the table is below 5 standard deviations, and no |X - V| exceeds (1 + reach) x_top.
        noise = 0.0
        if self.register is not None:
            noise += self.register.bound(len(self.k) * x_top**2)
        elif self.total is not None:
            noise += 5.0 * NORMAL_ONE * (1.0 + self.reach) * x_top * float(np.sqrt(self.total.max())) + 1.0
        if self.output_noise is not None:
            noise += 5.0 * NORMAL_ONE * float(self.output_noise.max()) + 1.0
        if self.traps is not None:
            noise += self.traps.bound(self.reach, x_top)
        return 2.0 * (product.peak * x_top + noise) + float(np.abs(self.offset).max())

    def charge(
        self,
        product: Product,
        x: _Float,
        x_top: int,
        read: NDArray[np.int16] | None,
        output: NDArray[np.int16] | None,
        op_id: NDArray[np.uint64],
    ) -> _Float:
        """Charges ``A = 2 a + o + 2 noise``: odd integers, exact in the type of the result.

        Parameters
        ----------
        product
            :attr:`lines` or :attr:`pairs`.
        x
            Inputs of shape (batch, inputs) or (inputs,), in the type of the product's matrix.
        x_top
            Bound of their magnitudes.
        read, output
            What :meth:`draws` gives, of the shape of the result; None without.
        op_id
            Numbers of the conversions, of shape (batch,) or (): the address of what traps do.

        Returns
        -------
            Array of shape (batch, lines) or (lines,).
        """
        a = exact_product(x, product.matrix)
        kind = self._charge_type(product, x_top)
        if read is None and output is None and self.traps is None:
            charge = a if a.dtype == kind else a.astype(kind)
        else:
            charge = self.add_noise(product, x, a.astype(np.float64), read, output, op_id)
        charge *= 2.0
        charge += self.offset_floats[charge.dtype.type]
        return charge if charge.dtype == kind else charge.astype(kind)

    def add_noise(
        self,
        product: Product,
        x: _Float,
        a: Reals,
        read: NDArray[np.int16] | None,
        output: NDArray[np.int16] | None,
        op_id: NDArray[np.uint64],
    ) -> Reals:
        """Accumulators ``a`` with the noise of their conversion, whole units, in place; the rest as :meth:`charge`."""
        trapped = None
        if self.traps is not None:
            trapped = self.traps.noise(product.inputs, x, a * self.inverse, op_id)
        if read is not None:
            if self.register is not None:
                assert product.spread is not None
                a += self.register.noise(exact_product(x * x, product.spread.square), read)
            else:
                noise = self._read_deviation(product, x, a)
                noise *= read
                a += np.rint(noise, out=noise)
        if output is not None and self.output_noise is not None:
            noise = self.output_noise * output
            a += np.rint(noise, out=noise)
        if trapped is not None:
            a += trapped
        return a

    def _charge_type(self, product: Product, x_top: int) -> type:
        name = (id(product), x_top)
        if name not in self._types:
            self._types[name] = np.float32 if self.bound(product, x_top) < SINGLE_EXACT else np.float64
        return self._types[name]

    def _read_deviation(self, product: Product, x: _Float, a: Reals) -> Reals:
        """Standard deviations of the charges ``a``, ``sqrt(sum_i (X_i - V)**2 var_i)`` with the settled V = a / sum_g.

        The variance is expanded to exact sums, ``(total * V - 2 * cross) * V + square``, and evaluated in this order
        in double, so that it has one value whatever the batch.
        """
        assert product.spread is not None
        assert self.total is not None
        v = a * self.inverse
        variance = self.total * v
        if product.spread.cross is not None:
            variance -= 2.0 * exact_product(x, product.spread.cross).astype(np.float64)
        variance *= v
        variance += exact_product(x * x, product.spread.square)
        np.maximum(variance, 0.0, out=variance)
        return np.sqrt(variance, out=variance)


def lines_of(blocks: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Lines of blocks of eight."""
    return (blocks.astype(np.intp)[:, None] * LANES + np.arange(LANES)).reshape(-1)


def _product(k: Indices, square: Reals | None, cross: Reals | None, inputs: tuple[NDArray[np.intp], Reals]) -> Product:
    peak = int(np.abs(k.astype(np.int64)).sum(axis=0).max(initial=0))
    kind = np.float32 if peak * INPUT_TOP < SINGLE_EXACT else np.float64
    spread = None
    if square is not None and cross is not None:
        # Single precision is exact here by the choice of variance_unit.
        spread = Spread(_narrow(square), _narrow(cross) if cross.any() else None)
    return Product(np.ascontiguousarray(k, dtype=kind), peak, spread, inputs)


def _narrow(variance: Reals) -> NDArray[np.float32]:
    alike = bool((variance == variance[:, :1]).all())
    return np.ascontiguousarray(variance[:, :1] if alike else variance, dtype=np.float32)


def variance_unit(top: float, lines: int) -> float:
    """Grid of the variances of the cells: a power of two, in the unit of ``top``, the largest variance.

    On this grid the sum of any conversion, at most ``lines * INPUT_TOP**2`` variances, is below 2**24 units (rounding
    included) and so exact in single precision. For 256 lines it resolves the largest variance to better than 1 %.
    """
    return 2.0 ** np.ceil(np.log2(top * lines * INPUT_TOP**2 / (0.99 * SINGLE_EXACT)))


def line_steps(step_code: int, load: Array, gain: Reals) -> Steps:
    """Decrements of all lines: ``s = 2 * max(1, rint(step_code * 2**-14 * load * (1 + gain)))`` for each polarity."""
    ideal = step_code * 2.0**-STEP_FRACTION_BITS * load
    pos, neg = (2 * np.maximum(1, np.rint(ideal * (1.0 + side))).astype(np.int64) for side in gain)
    return Steps(pos, neg)
