"""What is sampled: couplings of spins and their biases, bipartite or symmetric."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.files import ArrayFile, FileKind

_FILE = FileKind(".npz file of a problem")
PARTS = 8
"""Parts of the spins of a symmetric problem, of which one moves in a step: all at once would oscillate."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Spins and their energy, which couplings lower where the product of two spins has their sign.

    Parameters
    ----------
    couplings
        Bipartite: (visible, hidden), of spins 0 and 1. ``symmetric``: (spins, spins) without a diagonal, of spins -1
        and 1. A coupling of 0 is absent: its cells are not formed.
    bias
        Of each spin, the visible ones first, in the unit of the couplings.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, no coupling is there, or a symmetric matrix is none.
    """

    couplings: Reals
    bias: Reals
    symmetric: bool

    def __post_init__(self) -> None:
        name, biases = ("J", "h") if self.symmetric else ("W", "a and b")
        shape = self.couplings.shape
        if len(shape) != 2 or not self.couplings.size or (self.symmetric and shape[0] != shape[1]):
            form = "(spins, spins)" if self.symmetric else "(visible, hidden)"
            raise InputError(f"{name} must have shape {form}, not {shape}")
        if self.bias.shape != (self.spins,):
            raise InputError(f"{biases} must have {self.spins} elements, not {self.bias.size}")
        if not (np.isfinite(self.couplings).all() and np.isfinite(self.bias).all()):
            raise InputError(f"{name}, {biases} must be finite")
        if not self.couplings.any():
            raise InputError(f"{name} must have a coupling that is not 0")
        if self.symmetric and (np.diag(self.couplings).any() or not np.array_equal(self.couplings, self.couplings.T)):
            raise InputError("J must be symmetric, with a diagonal of 0")

    @property
    def spins(self) -> int:
        """How many there are."""
        return self.couplings.shape[0] if self.symmetric else sum(self.couplings.shape)

    @property
    def values(self) -> tuple[int, int]:
        """What a spin may be."""
        return (-1, 1) if self.symmetric else (0, 1)

    def energy(self, spins: NDArray[np.integer]) -> Reals:
        """Energies (chains,) of spins (chains, spins)."""
        s = spins.astype(np.float64)
        if self.symmetric:
            return -(0.5 * np.einsum("ci,ci->c", s @ self.couplings, s) + s @ self.bias)
        visible = self.couplings.shape[0]
        return -(np.einsum("ci,ci->c", s[:, :visible] @ self.couplings, s[:, visible:]) + s @ self.bias)


def load_problem(path: str | Path) -> Problem:
    """A problem of an ``.npz``: ``W``, ``a``, ``b`` (bipartite) or ``J``, ``h`` (symmetric); biases may be left out.

    Raises
    ------
    InputError
        If it is none.
    """
    file = Path(path)
    with ArrayFile.open(file, _FILE) as arrays:
        names = set(arrays.names or ())
        form = next((form for form in (("W", "a", "b"), ("J", "h")) if form[0] in names), None)
        if form is None or not names <= set(form):
            raise InputError(f"{file}: a problem has W, a, b or J, h, not {', '.join(sorted(names)) or 'one array'}")
        read = {name: _numbers(file, name, arrays.read(name)) for name in form if name in names}
    couplings = read[form[0]]
    sizes = couplings.shape if len(form) == 3 else couplings.shape[:1]
    bias = [read.get(name, np.zeros(size)).ravel() for name, size in zip(form[1:], sizes, strict=False)]
    for name, values, size in zip(form[1:], bias, sizes, strict=False):
        if len(values) != size:
            raise InputError(f"{file}: {name} must have {size} elements, not {len(values)}")
    try:
        return Problem(couplings=couplings, bias=np.concatenate([*bias, []]), symmetric=form[0] == "J")
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _numbers(file: Path, name: str, array: NDArray[Any]) -> Reals:
    if array.dtype.kind not in "iufb":
        raise InputError(f"{file}: {name} must be numbers, not {array.dtype}")
    return array.astype(np.float64)
