"""The two machines of a tile on many random programs: ``python benchmarks/tile_programs.py --programs 100``.

Legal programs are carried out by the interpreter and the token machine, which must retire the same instructions with
the same tokens; borderline ones must stop for the same cause at the same place. Prints how often each opcode retired
and each cause was met, and how fast the machines are.
"""

import argparse
import time
from collections import Counter
from pathlib import Path
from sys import path

import numpy as np

path.insert(0, str(Path(__file__).parents[1]))

from mho.sim.tile_programs.random_programs import borderline, legal_program
from tests.hw.tile.interpreter.test_machines import interpreted, same, skeleton


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=100, help="legal programs")
    parser.add_argument("--changes", type=int, default=4, help="borderline programs of each")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ops, causes, spent = Counter[str](), Counter[str](), Counter[str]()
    for seed in range(given.seed, given.seed + given.programs):
        start = time.process_time()
        program = legal_program(np.random.default_rng(seed), 40)
        spent["drawing"] += time.process_time() - start
        status, events = same(program)
        assert status is None, seed
        ops.update(event.op.name for event in events)
        for name, run in (("interpreter", interpreted), ("token machine", skeleton)):
            start = time.process_time()
            run(program)
            spent[name] += time.process_time() - start
        for change in range(given.changes):
            status, _ = same(borderline(np.random.default_rng([seed, change]), program))
            causes[status[0].name if status else "NONE"] += 1
    total = sum(ops.values())
    print(f"{total} events of {given.programs} legal programs: {dict(ops)}")
    print(f"{sum(causes.values())} borderline programs: {dict(causes)}")
    print({name: f"{1e6 * seconds / total:.0f} us of CPU an event" for name, seconds in spent.items()})


if __name__ == "__main__":
    main()
