"""What is sampled: couplings of spins and their biases, bipartite or symmetric."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.files import ArrayFile, FileKind

_FILE = FileKind(".npz file of a problem")
_FORMS = ("W", "a", "b"), ("J", "h")
_LARGEST = 1e30
"""Coupling and bias; the largest coupling is at least its inverse, so that sums and their units are finite."""
Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Spins and their energy, which couplings lower where the product of two spins has their sign.

    Raises InputError if shapes do not fit, numbers are not finite, no coupling is there, or a symmetric matrix is none.

    Parameters
    ----------
    couplings
        Bipartite: (visible, hidden), of spins 0 and 1. ``symmetric``: (spins, spins) without a diagonal, of spins -1
        and 1. A coupling of 0 is absent: its cells are not formed.
    bias
        Of each spin, the visible ones first, in the unit of the couplings.
    """

    couplings: Reals
    bias: Reals
    symmetric: bool

    def __post_init__(self) -> None:
        name, biases = ("J", "h") if self.symmetric else ("W", "a and b")
        shape = self.couplings.shape
        if len(shape) != 2 or not 1 / _LARGEST <= np.abs(self.couplings).max(initial=0.0) <= _LARGEST:
            raise InputError(f"{name} must have two dimensions and finite couplings, not all 0, {_LARGEST:g} at most")
        if self.symmetric and (not np.array_equal(self.couplings, self.couplings.T) or np.diag(self.couplings).any()):
            raise InputError("J must be symmetric, with a diagonal of 0")
        if self.bias.shape != (self.spins,) or not (np.abs(self.bias) <= _LARGEST).all():
            raise InputError(f"{biases} must be {self.spins} finite numbers of {_LARGEST:g} at most")

    @property
    def spins(self) -> int:
        """How many there are."""
        return len(self.couplings) if self.symmetric else sum(self.couplings.shape)

    @property
    def values(self) -> tuple[int, int]:
        """What a spin may be."""
        return (-1, 1) if self.symmetric else (0, 1)

    @property
    def matrix(self) -> Reals:
        """Couplings of all spins to all, (spins, spins)."""
        if self.symmetric:
            return self.couplings
        full = np.zeros((self.spins, self.spins))
        full[: len(self.couplings), len(self.couplings) :] = self.couplings
        return full + full.T

    def energy(self, spins: NDArray[np.integer]) -> Reals:
        """Energies (chains,) of spins (chains, spins)."""
        return -((spins @ self.matrix / 2 + self.bias) * spins).sum(axis=1)


def load_problem(path: str | Path) -> Problem:
    """A problem of an ``.npz``: ``W``, ``a``, ``b`` (bipartite) or ``J``, ``h`` (symmetric); biases may be left out.

    Raises InputError if it is none.
    """
    file = Path(path)
    with ArrayFile.open(file, _FILE) as arrays:
        names = set(arrays.names or ())
        form = next((form for form in _FORMS if form[0] in names), ())
        if not form or not names <= set(form):
            raise InputError(f"{file}: a problem has W, a, b or J, h, not {', '.join(sorted(names)) or 'one array'}")
        numbers = {name: arrays.read(name) for name in form if name in names}
    for name, array in numbers.items():
        if array.dtype.kind not in "iufb":
            raise InputError(f"{file}: {name} must be numbers, not {array.dtype}")
    couplings = numbers[form[0]].astype(np.float64)
    if couplings.ndim != 2:
        raise InputError(f"{file}: {form[0]} must have two dimensions, not {couplings.ndim}")
    for name, size in zip(form[1:], couplings.shape, strict=False):
        if numbers.setdefault(name, np.zeros(size)).shape != (size,):
            raise InputError(f"{file}: {name} must have shape ({size},), not {numbers[name].shape}")
    bias = np.concatenate([numbers[name] for name in form[1:] if name in numbers])
    try:
        return Problem(couplings=couplings, bias=bias.astype(np.float64), symmetric=form[0] == "J")
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
