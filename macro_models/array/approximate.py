"""A few vectors through an array with wires, without building its matrix.

Picard's iteration: currents of the cells give the voltage drops along the lines by running sums, drops give currents.
A sweep is O(N M). Its error shrinks by rho, the contraction, which grows with ``mean(g) (r_row M^2 + r_col N^2)``; it
diverges above 1 (256 x 256 cells of 20 uS at 1 ohm per segment have 1.1 in current mode). The iteration's eigenvalues
lie between -rho and 0, so that a step of ``2 / (2 + rho)`` shrinks the error by ``rho / (2 + rho)`` instead.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from macro_models.array.effective import effective_matrix
from macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, check_mode, flip
from macro_models.errors import InputError

__all__ = ["UNSAFE_CONTRACTION", "ApproximateResult", "approximate", "contraction"]

UNSAFE_CONTRACTION = 0.5
"""Above this, the exact matrix is built instead."""

LANCZOS_STEPS = 12
"""Steps of the method that measures the contraction (from below, to a few per cent); each costs one sweep."""


@dataclass(frozen=True, kw_only=True)
class ApproximateResult:
    """An array ready for vectors."""

    apply: Callable[[ArrayLike], NDArray[np.float64]]
    """Volts of shape (..., driven) to amperes or volts of shape (..., read)."""
    contraction: float
    """Factor by which a plain Picard sweep shrinks the error of this array."""
    exact: bool
    """True if the contraction was unsafe and ``apply`` multiplies by the exact matrix."""


def approximate(
    g_S: ArrayLike,
    wires: Wires,
    *,
    mode: Mode,
    wl: ArrayLike | None = None,
    backward: bool = False,
    sweeps: int = 2,
) -> ApproximateResult:
    """Prepare an array for a few vectors; arguments as of :func:`effective_matrix`.

    The error relative to that of the ideal formula is about ``(rho / (2 + rho)) ** sweeps``; where rho exceeds
    ``UNSAFE_CONTRACTION``, the result is exact.
    """
    if sweeps < 1:
        raise InputError(f"sweeps must be at least 1, not {sweeps!r}")
    picard = _Picard.of(g_S, wires, mode, wl, backward)
    rho = picard.contraction()
    if rho <= UNSAFE_CONTRACTION:
        return ApproximateResult(apply=lambda x: picard.run(x, sweeps, rho), contraction=rho, exact=False)
    e = effective_matrix(g_S, wires, mode=mode, wl=wl, backward=backward)
    return ApproximateResult(apply=lambda x: picard.check(x) @ e, contraction=rho, exact=True)


def contraction(
    g_S: ArrayLike, wires: Wires, *, mode: Mode, wl: ArrayLike | None = None, backward: bool = False
) -> float:
    """Factor by which one Picard sweep shrinks the error; arguments as of :func:`effective_matrix`."""
    return _Picard.of(g_S, wires, mode, wl, backward).contraction()


@dataclass(frozen=True, kw_only=True)
class _Picard:
    """The iteration on arrays of cell currents, shape (..., N, M), rows driven."""

    g: NDArray[np.float64]
    wires: Wires
    mode: Mode
    turned: bool

    @classmethod
    def of(cls, g_S: ArrayLike, wires: Wires, mode: Mode, wl: ArrayLike | None, backward: bool) -> "_Picard":
        g = check_conductances(g_S)
        g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
        if backward:
            g, wires = np.ascontiguousarray(flip(g)), wires.turned()
        return cls(g=g, wires=wires, mode=check_mode(mode), turned=backward)

    def drops(self, current: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voltage lost along the row to each cell plus that along its column; to an open column's foot."""
        w = self.wires
        flow = np.flip(np.cumsum(np.flip(current, -1), -1), -1)  # in the segment before each cell
        drop = np.cumsum(flow, -1) * w.r_row_ohm + flow[..., :1] * w.r_driver_ohm
        flow = np.cumsum(current, -2)  # in the segment behind each cell
        r_foot = w.r_col_ohm + w.r_sense_ohm if self.mode == "current" else 0.0
        drop += flow[..., -1:, :] * r_foot
        drop[..., :-1, :] += np.flip(np.cumsum(np.flip(flow[..., :-1, :], -2), -2), -2) * w.r_col_ohm
        return drop

    def foot(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voltage of open columns whose cells see ``v``: shape (..., 1, M)."""
        total = self.g.sum(axis=0)
        summed = np.einsum("ij,...ij->...j", self.g, v)
        return np.divide(summed, total, out=np.zeros_like(summed), where=total > 0)[..., None, :]

    def currents(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cell currents for ``v``, the voltages across cells and column."""
        return self.g * v if self.mode == "current" else self.g * (v - self.foot(v))

    def contraction(self) -> float:
        """Largest eigenvalue of ``currents(drops(.))``, by Lanczos' method on its symmetric form."""
        root = np.sqrt(self.g)
        start = np.random.default_rng(0).standard_normal(self.g.shape)  # any start does, but always the same
        v = root * (np.abs(start) if self.mode == "current" else start - self.foot(start))
        norm, before, t = float(np.linalg.norm(v)), np.zeros_like(v), np.zeros((LANCZOS_STEPS, LANCZOS_STEPS))
        for step in range(LANCZOS_STEPS):
            if norm <= np.finfo(np.float64).tiny:
                break
            v /= norm
            u = self.drops(root * v)
            w = root * (u if self.mode == "current" else u - self.foot(u))
            t[step, step] = np.vdot(v, w)
            if step:
                t[step, step - 1] = t[step - 1, step] = norm
                w -= norm * before
            w -= t[step, step] * v
            v, before, norm = w, v, float(np.linalg.norm(w))
        return max(float(np.linalg.eigvalsh(t)[-1]), 0.0)

    def check(self, x: ArrayLike) -> NDArray[np.float64]:
        v = np.asarray(x, dtype=np.float64)
        if v.ndim < 1 or v.shape[-1] != self.g.shape[0]:
            raise InputError(f"Vectors must have {self.g.shape[0]} driven lines, not shape {v.shape}")
        return v

    def run(self, x: ArrayLike, sweeps: int, rho: float) -> NDArray[np.float64]:
        """Outputs for volts of shape (..., driven)."""
        v = self.check(x)
        if self.turned:
            v = v[..., ::-1]
        source = np.repeat(v[..., None], self.g.shape[1], axis=-1)
        seen, step = source.copy(), 2.0 / (2.0 + rho)
        for _ in range(sweeps):
            seen += step * (source - self.drops(self.currents(seen)) - seen)
        out = self.currents(seen).sum(axis=-2) if self.mode == "current" else self.foot(seen)[..., 0, :]
        return out[..., ::-1] if self.turned else out
