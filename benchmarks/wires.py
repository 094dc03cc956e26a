"""CPU time of arrays with wires: building the effective matrix, and further vectors.

    python benchmarks/wires.py [--sizes 64,128,256] [--ohm 1.0] [--json FILE]

CPU seconds of one BLAS thread, the least of three runs (of one above 256 lines); conductances uniform from 1 to 40 uS.
"""

import resource
import sys
from collections.abc import Iterator

import numpy as np
from tools import Figures, cpu_s, options, tell

from mho.macro_models.array import Wires, analog_error, effective_matrix, ideal_matrix

TARGET_S = {64: 0.03, 128: 0.2, 256: 2.5}
"""Most CPU seconds of a build."""

TARGET_RATIO = 2.0
"""Most times an ideal matrix-vector product that a further vector may take."""


def measure(n: int, mode: str, ohm: float) -> Figures:
    """One row of the table: an array of n x n cells."""
    rng = np.random.default_rng(n)
    g = rng.uniform(1e-6, 40e-6, (n, n))
    wires = Wires(r_row_ohm=ohm, r_col_ohm=ohm)
    x = rng.standard_normal((256, n))
    build_s = cpu_s(lambda: effective_matrix(g, wires, mode=mode), runs=3 if n <= 256 else 1)
    e, ideal = effective_matrix(g, wires, mode=mode) if n <= 256 else g, ideal_matrix(g, mode=mode)
    row: Figures = {"lines": n, "mode": mode, "ohm": ohm, "build_s": build_s}
    repeat = max(1, (64 << 20) // (n * n * 256))
    row["vector_us"] = cpu_s(lambda: x @ e, runs=3, repeat=repeat) / len(x) * 1e6
    row["ideal_vector_us"] = cpu_s(lambda: x @ ideal, runs=3, repeat=repeat) / len(x) * 1e6
    row["single_us"] = cpu_s(lambda: x[0] @ e, runs=3, repeat=200) * 1e6
    row["ideal_single_us"] = cpu_s(lambda: x[0] @ ideal, runs=3, repeat=200) * 1e6
    if n <= 256:
        row["ideal_error"] = analog_error(g, wires, mode=mode).relative
    row["peak_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row["target_s"] = TARGET_S.get(n)
    ratio = max(row["vector_us"] / row["ideal_vector_us"], row["single_us"] / row["ideal_single_us"])
    row["vector_ratio"] = ratio
    row["meets_targets"] = ratio <= TARGET_RATIO and build_s <= TARGET_S.get(n, float("inf"))
    return row


def table(rows: list[Figures]) -> Iterator[str]:
    """The result in columns."""
    yield "lines  mode     build s  target  vector us  ideal  ratio  ideal error  peak MB"
    for r in rows:
        target = "-" if r["target_s"] is None else f"{r['target_s']:g}"
        line = f"{r['lines']:5d}  {r['mode']:8s} {r['build_s']:7.4f}  {target:>6s}  {r['vector_us']:9.2f}"
        line += f"  {r['ideal_vector_us']:5.2f}  {r['vector_ratio']:5.2f}"
        line += f"  {100 * r['ideal_error']:10.2f}%" if "ideal_error" in r else " " * 13
        yield f"{line}  {r['peak_MB']:7.0f}"


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--sizes", default="64,128,256", help="numbers of lines, ascending")
    parser.add_argument("--ohm", type=float, default=1.0, help="resistance of a segment")
    args = parser.parse_args()
    rows = [measure(int(n), mode, args.ohm) for n in args.sizes.split(",") for mode in ("current", "voltage")]
    tell(args, {"benchmark": "wires", "rows": rows}, table(rows))
    return 0 if all(r["meets_targets"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
