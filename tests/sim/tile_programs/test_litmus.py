"""Short programs that once meant something else in hardware than in the interpreter, or that tell both apart."""

from dataclasses import replace

import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.isa import Cause
from mho.sim.tile_programs.cases import Case
from mho.sim.tile_programs.compare import difference, expected
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.simulation import TileSimulation

# A reduction that nobody takes stays in the send engine for ever. What is illegal behind it still traps.
BEHIND_SEND = """
stream out: block 8, blocks 2, first 1
stream in: block 8, blocks 4, remote
send out, context 1, blocks 1
"""
LITMUS = {
    "push into a remote ring": (BEHIND_SEND + "push in 1", Cause.OWNER),
    "room in a remote ring": (BEHIND_SEND + "room in 1", Cause.OWNER),
    "wait for more than a ring has": (BEHIND_SEND + "wait out 3", Cause.RING),
    "free more than a ring has": (BEHIND_SEND + "free out 3", Cause.RING),
}

# Two streams that others fill have one slot: blocks are for the first.
SHARED_SLOT = """
stream first: block 8, blocks 4, remote, slot 3
stream second: block 8, blocks 6, remote, slot 3
wait first 2
send first, flow 0, blocks 2, free
"""

# One program after another whose parameters have other multipliers, and nothing else that is other.
SCALED = """
stream in: block 8, blocks 4, remote
stream out: block 8, blocks 2
parameters scale { 8 * m FACTOR, d 5 }
vec times: a in, target out, elements 8, parameters scale
loop 2 {
    vec times, free_a, push
    send out, flow 0, free
}
"""

# Behind the end of the program the third copy waits for a place, or an operand for its root.
FULL = """
stream in: block 8, blocks 6, remote
stream out: block 8, blocks 2
vec copy: kind max, a in, target out, elements 8
vec copy, free_a, push
vec copy, free_a, push
"""
LASTS = {"a place": FULL + "vec copy, free_a, push", "a root": BEHIND_SEND}


def case(text: str, blocks: int = 0) -> Case:
    return Case(program=assemble(text), given={0: tuple(bytes([k] * 8) for k in range(blocks))} if blocks else {})


@pytest.mark.slow
def test_hardware_and_both_machines_agree() -> None:
    cases = {name: case(text) for name, (text, _) in LITMUS.items()} | {"shared slot": case(SHARED_SLOT, 2)}
    for (name, program), result in zip(cases.items(), TileSimulation(SIZES).run(list(cases.values())), strict=True):
        right = expected(program, SIZES)
        assert difference(right, result, SIZES) is None, name
        if name in LITMUS:
            assert right.status is not None, name
            assert right.status.cause is LITMUS[name][1], name
        else:
            assert right.ended
            assert result.received == {0: [bytes([k] * 8) for k in range(2)]}


@pytest.mark.slow
def test_a_parameter_of_which_half_is_other_is_written() -> None:
    cases = [case(SCALED.replace("FACTOR", str(factor)), 2) for factor in (2, 3)]
    for program, result in zip(cases, TileSimulation(SIZES).run(cases), strict=True):
        assert difference(expected(program, SIZES), result, SIZES) is None


@pytest.mark.slow
def test_the_watchdog_ends_what_waits_behind_the_end_of_a_program() -> None:
    stuck = [replace(case(text, blocks), watchdog=9) for text, blocks in zip(LASTS.values(), (6, 0), strict=True)]
    ends = replace(case(FULL, 6), watchdog=9)
    *results, right = TileSimulation(SIZES).run([*stuck, ends])
    for name, program, result in zip(LASTS, stuck, results, strict=True):
        assert (result.status[0] & 15, result.running) == (Cause.WATCHDOG, False), name
        assert difference(expected(program, SIZES), result, SIZES) is None, name
    assert (right.status[0], right.running, right.busy) == (0, False, False)


@pytest.mark.slow
def test_a_program_that_takes_long_is_compared_as_far_as_it_came() -> None:
    long = "stream out: block 256, blocks 2, first 1\nvec copy: kind max, a out, target out, elements 250\n"
    program = case(long + "loop 15000 {\nvec copy\n}")
    (result,) = TileSimulation(SIZES).run([program])
    right = expected(program, SIZES)
    assert result.cut
    assert difference(right, result, SIZES) is None
    # What it did before counts.
    assert difference(right, replace(result, retired=[0, 0, *result.retired[2:]]), SIZES) is not None
