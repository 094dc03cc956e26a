"""The benches of generated designs of random chips, as they are written: do they pass.

    python benchmarks/benches.py [--count 20] [--seed 1] [--seconds 240]

Chips of 16 lines with random durations (one in four has an operation of 1 ms), resets, buses, programming and prefixes.
Each is generated and its ``tb/`` run with Icarus, by ``make`` and by ``pytest`` in turns. A chip that fails is named
with its settings, and the exit code is 1.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mho.hw.config import load_chip
from mho.rtl_gen import generate

DURATIONS = ("t_reset_ns", "t_plane_ns", "t_sample_ns", "t_compare_ns", "t_decrement_ns")


def settings(rng: random.Random, slow: bool) -> tuple[dict[str, object], str]:
    """Settings of a chip, and its bus."""
    found: dict[str, object] = {f"timing.{name}": rng.choice((10, 20, 30, 70, 200)) for name in DURATIONS}
    if slow:
        # 50,000 cycles of 50 MHz, in one operation of each conversion.
        found |= {"clock.f_clk_MHz": 50, "timing.t_reset_ns": 1_000_000}
    found["verilog.reset"] = rng.choice(("sync", "async_low"))
    found["programming.engine"] = rng.random() < 0.7
    found["verilog.prefix"] = rng.choice(("mho_", "x_", "Chip_"))
    return found, rng.choice(("none", "wishbone", "axil"))


def run(folder: Path, by_make: bool) -> tuple[bool, str]:
    """Whether the bench passes, and the end of what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["make"] if by_make else [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=folder / "tb", env=environment, capture_output=True, text=True, check=False)
    passed = done.returncode == 0 and ("FAIL=0" in done.stdout if by_make else "1 passed" in done.stdout)
    return passed, (done.stdout + done.stderr)[-2000:]


def main() -> int:
    """Run the benches and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=240.0, help="begin no chip after so many seconds")
    arguments = parser.parse_args()
    rng, begin, passed, tried = random.Random(arguments.seed), time.monotonic(), 0, 0
    for number in range(arguments.count):
        chosen, wrap = settings(rng, slow=number % 4 == 0)
        if time.monotonic() - begin > arguments.seconds:
            break
        tried += 1
        with tempfile.TemporaryDirectory() as folder:
            generate(load_chip("tnsa16-core", chosen), Path(folder) / "out", wrap=wrap)
            good, text = run(Path(folder) / "out", number % 2 == 0)
        passed += good
        how = "make" if number % 2 == 0 else "pytest"
        print(f"{number:3} {'passes' if good else 'FAILS'} {how} {wrap} {chosen}", flush=True)
        if not good:
            print(text)
    print(f"{passed} of {tried} pass ({arguments.count - tried} not begun)")
    return int(passed < tried)


if __name__ == "__main__":
    sys.exit(main())
