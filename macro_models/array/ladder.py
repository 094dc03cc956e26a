"""One line of an array as a ladder of resistors, eliminated without a single subtraction.

Nodes 0 .. K-1 of a line are joined by segments of resistance r; node k has a cell of conductance d_k to a source of its
own; the last node, the foot, goes through r + r_foot to 0 V, or is open. Admittances looking up and impedances looking
down the ladder are sums, products and quotients of positive numbers, so that every entry of the inverse is accurate to
a few units in the last place, however small or large the resistances are; r = 0 needs no special case.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ladder", "eliminate"]


@dataclass(frozen=True)
class Ladder:
    """All lines of an array, eliminated. Arrays have shape (K nodes, lines).

    Z is the inverse of the line's nodal matrix (cells count as conductances to ground): the voltage of node i for a
    unit current into node k.
    """

    d: NDArray[np.float64]
    """Cells, in siemens."""
    log_rise: NDArray[np.float64]
    """A current into node k shows at node i < k by the factor ``exp(log_rise[i] - log_rise[k])``."""
    z: NDArray[np.float64]
    """Diagonal of Z, in ohms; 0 for an open line without cells, whose voltage is not defined."""
    foot: NDArray[np.float64]
    """For a unit current into node k: current out of the foot, or voltage of an open foot in ohms."""

    def response(self, line: int, nodes: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """Output of a line for unit voltages of its cells' other ends at ``nodes``: shape (nodes,)."""
        return self.foot[nodes, line] * self.d[nodes, line]

    def admittance(self, line: int, nodes: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """D - D Z D at ``nodes``: what the line with its cells is to the other ends of those cells.

        Shape (nodes, nodes); only the lower triangle is meant.
        """
        d, rise = self.d[nodes, line], self.log_rise[nodes, line]
        a = np.subtract(rise[None, :], rise[:, None])
        np.minimum(a, 0.0, out=a)  # the upper triangle must not overflow
        np.exp(a, out=a)
        a *= (-d * self.z[nodes, line])[:, None]
        a *= d[None, :]
        a.flat[:: d.size + 1] += d
        return a


def eliminate(d: NDArray[np.float64], r: float, r_foot: float | None) -> Ladder:
    """Eliminate every column of ``d``, shape (K, lines), in siemens. ``r_foot`` is ``None`` for an open foot."""
    k = d.shape[0]
    up = np.empty_like(d)  # admittance of node i with its cell and all above
    up[0] = d[0]
    for i in range(1, k):
        up[i] = d[i] + up[i - 1] / (1.0 + r * up[i - 1])
    log_rise = np.zeros_like(d)
    np.cumsum(np.log1p(r * up[:-1]), axis=0, out=log_rise[1:])

    down = np.empty_like(d)
    if r_foot is None:
        down[-1] = 0.0  # an admittance: an open end has no finite impedance
        for i in range(k - 2, -1, -1):
            below = d[i + 1] + down[i + 1]
            down[i] = below / (1.0 + r * below)
        total = up + down
        z = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        return Ladder(d=d, log_rise=log_rise, z=z, foot=z[-1] * np.exp(log_rise - log_rise[-1]))

    down[-1] = r + r_foot  # an impedance: a grounded end has no finite admittance
    passed = np.ones_like(d)  # part of the current that leaves node i downwards and reaches the foot
    for i in range(k - 2, -1, -1):
        share = 1.0 / (1.0 + down[i + 1] * d[i + 1])
        down[i] = r + down[i + 1] * share
        passed[i] = passed[i + 1] * share
    share = 1.0 / (1.0 + up * down)
    return Ladder(d=d, log_rise=log_rise, z=down * share, foot=passed * share)
