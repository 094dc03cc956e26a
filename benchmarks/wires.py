"""CPU time of the effective matrix of arrays with wires: ``python benchmarks/wires.py [--sizes 64,128]``.

CPU seconds of one BLAS thread, the least of three runs (of one above 256 lines); conductances uniform from 1 to 40 uS.
"""

import numpy as np
from tools import Figures, cpu_s, options, tell

from mho.macro_models.array import Wires, effective_matrix
from mho.macro_models.array.wires import Mode


def measure(n: int, mode: Mode, ohm: float) -> Figures:
    """One row of the table: an array of n x n cells."""
    g, wires = np.random.default_rng(n).uniform(1e-6, 40e-6, (n, n)), Wires(r_row_ohm=ohm, r_col_ohm=ohm)
    build_s = cpu_s(lambda: effective_matrix(g, wires, mode=mode), runs=3 if n <= 256 else 1)
    return {"lines": n, "mode": mode, "ohm": ohm, "build_s": build_s}


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--sizes", default="64,128,256", help="numbers of lines, ascending")
    parser.add_argument("--ohm", type=float, default=1.0, help="resistance of a segment")
    args = parser.parse_args()
    modes: tuple[Mode, ...] = ("current", "voltage")
    rows = [measure(int(n), mode, args.ohm) for n in args.sizes.split(",") for mode in modes]
    tell(args, rows, (f"{row['lines']:5d}  {row['mode']:8s} {row['build_s']:8.4f} s" for row in rows))


if __name__ == "__main__":
    main()
