"""More cells for each weight where outputs are numbers: more cores, and more products of a core, than are needed.

Errors of cells are independent, so that n cells for each weight leave 1 / sqrt(n) of what one has, and less: of n cells
that share a weight one is in the middle of the range, where cells scatter most, the others are at its ends. So the
squared error is that of one cell times (r + (1 - r) / n) / n, with r that at the ends over that in the middle.

First layers grow into cores that the chip has, for no more products. Then they are cut into more column segments with
more copies in each, or into more row segments with several rows an input: that one first which lowers the noise of the
network's outputs most for the products that it adds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

from mho.compiler.mapping.packing.packer import Shape, Size
from mho.compiler.mapping.place import DEFAULT_COPIES, Placement, place
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import argument

MOST_PRODUCTS = 4
"""Products of an image, at most, times those without."""


@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """What a placement is expected to do, and what it takes beyond one that is not asked for anything.

    ``wanted``, ``without`` and ``reached`` are errors of the network's outputs by noise of the cells, root mean square,
    relative to the outputs; ``cores`` and ``products`` (of an image) are those without.
    """

    wanted: float
    without: float
    reached: float
    cores: int
    products: int


def _segments(size: Size, core: tuple[int, int]) -> tuple[int, int]:
    """Row segments and column segments, on cores of so many rows and columns."""
    return -(-size.rows // core[0]), -(-size.outputs // (core[1] // (size.slices * size.copies)))


def _larger(size: Size, core: tuple[int, int], limit: int) -> list[Size]:
    """With one row segment more, full ones, and with more column segments and copies that fill them.

    A layer with groups takes no more products.
    """
    sizes: list[Size] = []
    if size.parts.groups > 1:
        return sizes
    down, across = _segments(size, core)
    rows = min((down + 1) * core[0], size.inputs * limit)
    if rows > size.rows:
        sizes.append(replace(size, rows=rows))
    while across < size.outputs and size.copies < limit:
        across += 1
        copies = min(limit, core[1] // (size.slices * -(-size.outputs // across)))
        if copies > size.copies:
            return [*sizes, replace(size, copies=copies)]
    return sizes


def squared_error(noise: Sequence[float], ends: float, variances: Sequence[float]) -> float:
    """Squared error of the outputs by all layers, from inputs over rows times copies; the rest as below."""
    return sum(single * v * (ends + (1.0 - ends) * v) for single, v in zip(noise, variances, strict=True))


def shortfall(redundancy: Redundancy | None, limit: float | None) -> list[str]:
    """That the error that was ``limit`` for is not reached, where it is not."""
    if redundancy is None or limit is None or redundancy.reached <= limit:
        return []
    return [f"noise of the cells makes an estimated {redundancy.reached:.1%} of the outputs, not {limit:.1%} "
            f"({argument('error')}): no more cells a weight are to be had on this chip, with at most "
            f"{DEFAULT_COPIES} copies"]


def place_within(
    shapes: Sequence[Shape], cell_map: CellMap, *, noise: Sequence[float], limit: float,
    ends: float, positions: Sequence[int], cores: int, copies: int | None = None, **options: Any,
) -> tuple[Placement, Redundancy]:
    """A placement with which noise of the cells makes an error of no more than ``limit``, as far as that can be had.

    ``noise`` is the squared error that each layer with one cell a weight makes, ``ends`` the squared error of a cell at
    the ends of the range over that in the middle, ``positions`` how often each is
    computed for an image, ``cores`` how many the chip has; the rest as of :func:`~mho.compiler.mapping.place.place`.
    Layers with groups grow into cores that the chip has, but take no more products.
    """
    put = partial(place, shapes, cell_map, noise=noise, cores=cores, copies=copies, **options)

    def error(variances: Sequence[float]) -> float:
        return squared_error(shared, ends, variances)

    def enough(variances: Sequence[float]) -> bool:
        return error(variances) <= limit**2

    plain = put()
    # The cells of other groups in a column have noise, too.
    shared = [single * parts.groups / parts.count for single, parts in zip(noise, plain.parts, strict=True)]
    without = error(_variances(plain))
    expected = partial(
        Redundancy, wanted=limit, without=without**0.5, cores=plain.cores, products=_products(plain, positions)
    )
    if without <= limit**2 or copies == 1:
        return plain, expected(reached=without**0.5)
    best = put(enough=enough)
    fits = plain.least <= cores
    history = _steps(best, error, limit**2, positions, copies or DEFAULT_COPIES)
    while history:
        trial = put(start=history[-1], enough=enough)
        if not fits or trial.cores <= cores:
            best = trial
            break
        history = history[: len(history) * 3 // 4]
    return best, expected(reached=error(_variances(best)) ** 0.5)


def _sizes(placement: Placement) -> list[tuple[int, int]]:
    """Inputs and rows of the largest part of each layer."""
    return [
        (max(size for _, size in parts.edges(parts.inputs)), rows // parts.count)
        for parts, rows in zip(placement.parts, placement.rows, strict=True)
    ]


def _variances(placement: Placement) -> list[float]:
    return [inputs / (rows * placement.of_layer(k)[0].copies) for k, (inputs, rows) in enumerate(_sizes(placement))]


def _products(placement: Placement, positions: Sequence[int]) -> int:
    return sum(positions[b.layer] for b in placement.blocks)


def _steps(
    placement: Placement, error: Callable[[Sequence[float]], float], limit_squared: float, positions: Sequence[int],
    copies: int,
) -> list[list[tuple[int, int]]]:
    """Rows and copies of all layers after each step of growth that takes products, until the noise is as wanted."""
    core, layers = _usable(placement), list[Size]()
    blocks = [placement.of_layer(k) for k in range(len(placement.parts))]
    for (inputs, rows), parts, (block, *_) in zip(_sizes(placement), placement.parts, blocks, strict=True):
        layers.append(Size(inputs, rows, parts.outputs, block.copies, block.slices, parts))

    def products(k: int, size: Size) -> int:
        return len(blocks[k]) if size.parts.groups > 1 else prod(_segments(size, core))

    limit, history = MOST_PRODUCTS * _products(placement, positions), []
    while (now := error([layer.variance for layer in layers])) > limit_squared:
        candidates = []
        for k, layer in enumerate(layers):
            for grown in _larger(layer, core, copies):
                added = positions[k] * max(products(k, grown) - products(k, layer), 0)
                then = error([(grown if j == k else candidate).variance for j, candidate in enumerate(layers)])
                candidates.append(((now - then) / max(added, 1), k, grown))
        if not candidates:
            break
        _, k, grown = max(candidates, key=lambda candidate: candidate[0])
        layers[k] = grown
        if sum(positions[j] * products(j, layer) for j, layer in enumerate(layers)) > limit:
            break
        history.append([(layer.rows, layer.copies) for layer in layers])
    return history


def _usable(placement: Placement) -> tuple[int, int]:
    """Rows and columns of a core without its dead lines, of the core with the fewest."""
    cell_map = placement.cell_map
    rows, columns = cell_map.there
    for bit, source in (cell_map.dead(faults.dead) for faults in placement.faults.values()):
        rows = min(rows, int((cell_map.per_row(bit) == 0).sum()))
        columns = min(columns, int((cell_map.per_column(source) == 0).sum()))
    return rows, columns
