"""A program whose ring is one block short: refused by the checker, and stuck in hardware where that says."""

import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.liveness import check_liveness
from mho.hw.tile.interpreter.tiles import Tiles
from mho.macro_models.errors import InputError
from mho.sim.tile_programs.cases import Case, joined
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.simulation import TileSimulation

TEXT = """
stream in:   block 4, blocks 4, remote
stream held: block 4, blocks BLOCKS
stream out:  block 4, blocks 2
vec keep: kind max, a in, target held, elements 4
vec give: kind max, a held, target out, elements 4
loop 3 {
    vec keep, free_a, push
    vec keep, free_a, push
    vec keep, free_a, push
    wait held 3
    vec give, free_a, push
    vec give, free_a, push
    vec give, free_a, push
    send out, flow 0, blocks 3, free
    image
}
"""


def case(blocks: int) -> Case:
    program = assemble(TEXT.replace("BLOCKS", str(blocks)))
    return Case(program=program, given={0: tuple(bytes([k] * 4) for k in range(9))})


@pytest.mark.slow
def test_a_ring_one_block_short_is_refused_and_hangs_in_hardware() -> None:
    good, short = case(3), case(2)
    with pytest.raises(InputError, match=r"ring"):
        check_liveness(joined(short, SIZES), {("t", 0): 3})
    right, stuck = TileSimulation(SIZES).run([good, short])
    assert (right.running, len(right.received[0])) == (False, 9)
    tiles = Tiles(joined(short, SIZES))
    tiles.give("t", 0, short.given[0])
    assert not tiles.run()
    waits = tiles.tiles["t"].waits
    assert waits is not None
    assert (waits.why, waits.stream) == ("room", 1)
    assert stuck.running
    assert stuck.busy
    assert not stuck.received
    # What ended is what ended in the checker's run: two blocks were kept, the third one waits for ever.
    assert [event.pc for _, event in stuck.events if event.shown] == [1, 2]
