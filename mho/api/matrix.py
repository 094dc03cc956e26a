"""A matrix in the cells of a chip: products by it, and by its transpose where the cores' lines are driven both ways."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.api.device import Device, PathLike, device_model
from mho.hw.config import Chip as ChipDescription
from mho.hw.config import check_device, default_device
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.devices import load_device
from mho.macro_models.devices.checks import causes_without
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.scaling import blocks_of, scaled_lines
from mho.macro_models.shown import Shown
from mho.runs.backends import BackendLike, backend_of
from mho.units import parse_time

if TYPE_CHECKING:
    from mho.sim.backend import HostScheduled

TRIALS = 256
"""Random inputs by which steps of converters are found, beside those of the largest product."""

Reals, Indices = NDArray[np.float64], NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """Part of the matrix in one core: outputs and inputs, and of each direction the operation, lines and values.

    ``lines`` of shape (lines of an output, outputs), and ``values`` of a half step of each, with its sign.
    """

    core: int
    outputs: Indices
    inputs: Indices
    masks: Masks
    ops: dict[Direction, MvmOperation]
    lines: dict[Direction, Indices]
    values: dict[Direction, Reals]


class Matrix(Shown):
    """A matrix in the cells of a chip's cores, as :meth:`mho.Chip.matrix` makes it.

    ``matrix @ x`` is the product by a vector of shape (inputs,) or by vectors side by side, (inputs, count), and
    ``matrix.T @ y`` that by the transpose on the same cells. Each vector is brought to the range of the input codes by
    its largest element. Weights of 0 have cells that are not formed, where pairs make a weight, and parts of the matrix
    that are all 0 have no core. No two products have the same read noise.

    Members
    -------
    shape
        (outputs, inputs).
    cores
        In use.
    vectors, cycles
        Products of vectors so far, in either direction; clock cycles of their longest core, if cores work at once.
    """

    def __init__(
        self, weights: ArrayLike, chip: ChipDescription, *, device: "Device | PathLike | None", seed: int,
        time: "str | float", in_bits: int, out_bits: int | None, calibrate: ArrayLike | None, without: Collection[str],
        backend: BackendLike,
    ) -> None:
        matrix = np.asarray(weights, dtype=np.float64)
        if matrix.ndim != 2 or not matrix.size:
            raise InputError(f"weights must be a matrix of finite numbers, not of shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise InputError(f"weights must be a matrix of finite numbers, not {matrix[~np.isfinite(matrix)][0]}")
        cells = device_model(device, default_device(chip))
        check_device(chip, cells)
        self.shape, self.vectors, self.cycles = matrix.shape, 0, 0
        self._chip, self._config, self._bits = chip, chip.macro_config(), (
            in_bits, chip.operation_type.most_out_bits if out_bits is None else out_bits)
        self._directions = list(Direction) if chip.operation_type.both_ways() else [Direction.FORWARD]
        parts = self._parts(matrix)
        if len(parts) > chip.cores:
            raise InputError(f"{chip.name}: {matrix.shape[0]} x {matrix.shape[1]} weights take {len(parts)} cores, not "
                             f"{chip.cores}: --set mesh.columns={len(parts)} --set mesh.rows=1")
        model, causes = family(chip.core.kind).model, causes_without(without)
        typical = self._typical(matrix, calibrate)
        self._pieces, models = list[_Piece](), list[MacroModel]()
        for core, (outputs, inputs) in enumerate(parts):
            targets, scale = self._targets(matrix[np.ix_(outputs, inputs)])
            exact = model(self._config, targets, device=load_device("ideal"), seed=seed, core=core)
            self._pieces.append(self._piece(core, outputs, inputs, targets, scale, exact, typical))
            models.append(model(self._config, targets, device=cells, seed=seed, core=core, time_s=parse_time(time),
                                causes=causes))
        chosen = backend_of(backend)
        chosen.check()
        self._backend = cast("HostScheduled", chosen.open())
        self._backend.open(chip, models)

    def _parts(self, matrix: Reals) -> list[tuple[Indices, Indices]]:
        """Outputs and inputs of each core: as few parts as there can be, about as large."""
        rows, columns = self._config.cell_map.there
        outputs, inputs = blocks_of(len(matrix), columns), blocks_of(matrix.shape[1], rows)
        parts = [(out, into) for out in outputs for into in inputs]
        return [part for part in parts if matrix[np.ix_(*part)].any()] or parts[:1]

    def _targets(self, weights: Reals) -> tuple[NDArray[np.float32], float]:
        """Conductances for weights (outputs, inputs), NaN where nothing is, and those of a weight of 1, in uS."""
        cells, cell_map = self._chip.cells, self._config.cell_map
        scale = cell_map.top(cells.g_min_uS, cells.g_max_uS) / (np.abs(weights).max() or 1.0)
        targets = np.full(cell_map.shape, np.nan, np.float32)
        split = cell_map.split(scale * weights.T, cells.g_min_uS, cells.g_max_uS)
        if not cell_map.join(np.zeros((cell_map.cells, 1))).any():
            split = np.where(weights.T == 0, np.nan, split)
        cell_map.put(targets, np.arange(len(weights.T)), np.arange(len(weights)), split)
        return targets, scale

    def _typical(self, matrix: Reals, calibrate: ArrayLike | None) -> dict[Direction, NDArray[np.int64]]:
        """Input codes by which steps are found, of each direction, (samples, inputs of the direction)."""
        samples = dict[Direction, Reals]()
        if calibrate is not None:
            samples[Direction.FORWARD] = self._vectors("calibrate", calibrate, matrix.shape[1])
        if drawn := [direction for direction in self._directions if direction not in samples]:
            left, _, right = np.linalg.svd(matrix, full_matrices=False)
            for direction in drawn:
                largest = right[:1] if direction is Direction.FORWARD else left.T[:1]
                random = np.random.default_rng(0).normal(size=(TRIALS, largest.shape[1]))
                vectors = np.concatenate([random, largest])
                samples[direction] = np.sign(vectors) if self._op(direction).input_range[1] == 1 else vectors
        return {direction: self._codes(vectors, direction)[0] for direction, vectors in samples.items()}

    @staticmethod
    def _vectors(name: str, x: ArrayLike, count: int) -> Reals:
        """Vectors (batch, count) of one of shape (count,) or of several side by side."""
        vectors = np.asarray(x, dtype=np.float64)
        if vectors.ndim not in (1, 2) or len(vectors) != count or not np.isfinite(vectors).all():
            raise InputError(f"{name} must be finite, of shape ({count},) or ({count}, count), not {vectors.shape}")
        return vectors.reshape(count, -1).T

    def _op(self, direction: Direction) -> MvmOperation:
        in_bits, out_bits = self._bits
        op = self._chip.operation_type(in_bits=in_bits, in_signed=True, out_bits=out_bits)
        return op if direction is Direction.FORWARD else replace(op.facing(direction), line_select=1)

    def _codes(self, x: Reals, direction: Direction) -> tuple[NDArray[np.int64], Reals]:
        """Codes of vectors (batch, inputs), and what one stands for in each, (batch, 1)."""
        size = np.abs(x).max(axis=1, keepdims=True, initial=0.0)
        unit = np.where(size > 0, size, 1.0) / self._op(direction).input_range[1]
        return np.rint(x / unit).astype(np.int64), unit

    def _piece(
        self, core: int, outputs: Indices, inputs: Indices, targets: NDArray[np.float32], scale: float,
        exact: MacroModel, typical: dict[Direction, NDArray[np.int64]],
    ) -> _Piece:
        """Operations whose converters just reach the largest product of typical inputs, on ideal cells."""
        cell_map = self._config.cell_map
        rows, columns = np.arange(len(inputs)), np.arange(len(outputs))
        driven, converted = (np.zeros(count, bool) for count in cell_map.shape)
        driven[cell_map.lines_of(rows)] = True
        converted[cell_map.converted_of(columns)] = True
        selected = np.array([converted, driven if len(self._directions) > 1 else converted, *[converted] * 6])
        masks = Masks(driven, selected, np.zeros_like(driven), np.zeros_like(converted))
        ops, lines, values = dict[Direction, MvmOperation](), dict[Direction, Indices](), dict[Direction, Reals]()
        cells = cell_map.take(np.nan_to_num(targets), rows, columns) / scale
        for direction in self._directions:
            forward = direction is Direction.FORWARD
            codes = typical[direction][:, inputs if forward else outputs].astype(np.float64)
            lines[direction] = columns[None] if forward else cell_map.lines_of(rows)
            sums: Reals = np.stack([codes @ part for part in (
                [cell_map.join(cells)] if forward else [line.T for line in cells])], axis=1)
            ops[direction], values[direction] = scaled_lines(
                exact, self._op(direction), masks, self._placed(codes, direction), lines[direction], sums)
            if not forward:
                values[direction][1] *= -1
        return _Piece(core=core, outputs=outputs, inputs=inputs, masks=masks, ops=ops, lines=lines, values=values)

    def _placed(self, codes: NDArray[np.generic], direction: Direction) -> NDArray[np.int16]:
        x = np.zeros((len(codes), self._config.inputs(direction)), np.int16)
        x[:, : codes.shape[1]] = codes
        return x

    def product(self, x: ArrayLike, direction: Direction = Direction.FORWARD) -> Reals:
        """Products by vectors of shape (inputs,) or (inputs, count): (outputs,) or (outputs, count).

        Raises InputError if the shape is another one, a number is not finite, or the cores' lines are not driven that
        way.
        """
        if direction not in self._directions:
            raise InputError(f"the transpose takes cores whose products go both ways, not core.kind "
                             f"{self._chip.core.kind}")
        forward = direction is Direction.FORWARD
        into, out = (1, 0) if forward else (0, 1)
        batch = self._vectors("x", x, self.shape[into])
        codes, unit = self._codes(batch, direction)
        result, busiest = np.zeros((len(batch), self.shape[out])), 0
        segments = self._op(direction).segments
        numbers = np.arange(len(batch), dtype=np.uint64) + np.uint64(self.vectors)
        for piece in self._pieces:
            driven, converted = (piece.inputs, piece.outputs) if forward else (piece.outputs, piece.inputs)
            ran = self._backend.mvm(piece.core, piece.ops[direction], piece.masks, self._placed(
                codes[:, driven], direction), numbers * np.uint64(segments))
            result[:, converted] += (ran.codes[:, piece.lines[direction]] * piece.values[direction]).sum(axis=1)
            busiest = max(busiest, int(np.sum(ran.cycles)))
        self.vectors += len(batch)
        self.cycles += busiest
        return (result * unit).T.reshape(self.shape[out], *np.shape(x)[1:])

    def __matmul__(self, x: ArrayLike) -> Reals:
        """``matrix @ x``: see :meth:`product`."""
        return self.product(x)

    @property
    def T(self) -> "Transpose":
        """The transpose, for products on the same cells."""
        return Transpose(self)

    @property
    def cores(self) -> int:
        """In use."""
        return len(self._pieces)

    def close(self) -> None:
        """Release what the backend holds."""
        self._backend.close()

    def __enter__(self) -> Self:
        """For ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release what the backend holds."""
        self.close()

    def _facts(self) -> dict[str, object]:
        return {"shape": self.shape, "chip": self._chip.name, "cores": self.cores}


@dataclass(frozen=True)
class Transpose:
    """The transpose of a matrix, on the same cells."""

    matrix: Matrix

    def __matmul__(self, y: ArrayLike) -> Reals:
        """``matrix.T @ y``: see :meth:`Matrix.product`."""
        return self.matrix.product(y, Direction.BACKWARD)
