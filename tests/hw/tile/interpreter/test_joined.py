"""Several tiles: multicast, what is refused, and the same tokens in both machines."""

import numpy as np
import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction
from mho.hw.tile.interpreter.liveness import check_liveness
from mho.hw.tile.interpreter.state import FunctionCore
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.macro_models.errors import InputError
from tests.hw.tile.interpreter.networks import example, residual
from tests.hw.tile.interpreter.test_machines import tokens_of

CORE = FunctionCore(lambda codes: np.zeros(64, np.int16))
PASS = """
stream in: block 4, blocks {blocks}, remote, slot {slot}
stream out: block {out}, blocks 2
vec copy: kind max, a in, target out, elements 4
loop forever {{
    vec copy, free_a, push
    send out, flow 0, free
    image
}}
"""
SOURCE = "stream in: block 4, blocks 2, remote\nloop forever {\nsend in, flow 0, free\nimage\n}"


def passing(blocks=2, slot=0, out=4):
    return Place(program=assemble(PASS.format(blocks=blocks, slot=slot, out=out)))


def multicast(**slow):
    return Joined(
        tiles={"from": Place(program=assemble(SOURCE)), "b": passing(3), "c": passing(**slow)},
        flows=(Flow(sender="from", number=0, to=("b", "c", HOST)), Flow(sender="b", number=0, to=(HOST,)),
               Flow(sender="c", number=0, to=(HOST,))),
    )


def split():
    names = ("root", "b", "c", "d")
    return Joined(
        tiles={n: example("split_root" if n == "root" else "split_member", CORE) for n in names},
        flows=(Flow(sender="root", number=0, to=(HOST,)),),
        reductions=(Reduction(context=0, members=names, root="root"),),
    )


def test_a_multicast_gives_each_member_every_block_once():
    tiles = Tiles(multicast(blocks=2), images=9)
    sent = [bytes([k, k, k, k]) for k in range(9)]
    tiles.give("from", 0, sent)
    assert tiles.run(most=1)
    assert [tiles.received[name, 0] for name in ("from", "b", "c")] == [sent] * 3


@pytest.mark.parametrize(("joined", "tokens", "size"), [
    (multicast(), {("from", 0): 1}, 4), (residual(cores=(CORE, CORE)), {("first", 0): 64}, 4),
    (split(), {(n, 0): 1 for n in ("root", "b", "c", "d")}, 16),
], ids=["multicast", "residual", "reduction"])
@pytest.mark.parametrize("seed", [0, 1])
def test_tokens_of_all_tiles_are_the_same_in_both_machines_and_in_any_order(joined, tokens, size, seed):
    images = 3
    skeleton_events, events = ({name: [] for name in joined.tiles} for _ in range(2))
    machine = TokenMachine(
        joined, {key: images * n for key, n in tokens.items()},
        watch=lambda name, event: skeleton_events[name].append(event))
    assert machine.run(images)
    tiles = Tiles(joined, images=images, watch=lambda name, event: events[name].append(event))
    for (name, stream), count in tokens.items():
        tiles.give(name, stream, [bytes(size)] * (images * count))
    rng = np.random.default_rng(seed)
    assert tiles.run(most=1 + 5 * seed, order=lambda names: rng.permutation(names).tolist())
    for name, tile in machine.tiles.items():
        assert tokens_of(skeleton_events[name]) == tokens_of(events[name])
        assert tile.tokens == tiles.tiles[name].tokens
    assert check_liveness(joined, tokens) > 0


def test_a_flow_that_is_none_and_an_operand_for_nobody_are_lost_and_counted():
    text = "stream a: block 4, blocks 2, first 2\nsend a, flow 3, free\nsend a, context 1, free\n"
    tiles = Tiles(Joined(tiles={"t": Place(program=assemble(text))}))
    assert tiles.run()
    assert tiles.lost == 2


def test_a_tile_that_trapped_keeps_what_it_has_and_others_go_on():
    bad = assemble("stream in: block 4, blocks 2, remote\nword 0x80000000")
    joined = Joined(
        tiles={"from": Place(program=assemble(SOURCE)), "b": Place(program=bad), "d": passing()},
        flows=(Flow(sender="from", number=0, to=("b",)), Flow(sender="d", number=0, to=(HOST,))),
    )
    tiles = Tiles(joined, images=4)
    tiles.give("from", 0, [bytes([k] * 4) for k in range(4)])
    tiles.give("d", 0, [b"abcd"] * 4)
    assert not tiles.run()
    assert tiles.tiles["b"].status.cause.name == "OPCODE"
    assert tiles.tiles["b"].tokens[0] == 2
    assert tiles.received["d", 0] == [b"abcd"] * 4
    assert tiles.tiles["from"].sends.why == "members"


@pytest.mark.parametrize(("change", "sentence"), [
    ({"flows": (Flow(sender="x", number=0, to=("b",)),)}, "tiles must be among a, b, not 'x'"),
    ({"flows": (Flow(sender="a", number=0, to=("b",)),) * 2}, "flow 0 of tile 'a' is there twice"),
    ({"flows": (Flow(sender="a", number=0, to=("b",)), Flow(sender="a", number=1, to=("b",)))},
     "slot 0 of tile 'b' has two senders"),
    ({"flows": (Flow(sender="a", number=0, to=("b",), slot=5),)}, "tile 'b' has no remote stream with slot 5"),
    ({"reductions": (Reduction(context=0, members=("a", "a"), root="a"),)}, "tile 'a' is a member twice in context 0"),
    ({"reductions": (Reduction(context=0, members=("a",), root="b"), Reduction(context=0, members=("b",), root="b"))},
     "tile 'b' is the root twice in context 0"),
])
def test_what_is_not_joined(change, sentence):
    with pytest.raises(InputError, match=sentence):
        Joined(tiles={"a": passing(), "b": passing()}, **change)


def test_blocks_of_another_size_are_refused():
    joined = Joined(tiles={"a": passing(out=8), "b": passing()}, flows=(Flow(sender="a", number=0, to=("b",)),))
    tiles = Tiles(joined)
    tiles.give("a", 0, [bytes(4)])
    with pytest.raises(InputError, match="flow 0 of tile 'a' has blocks of 8 bytes, but stream 0 of tile 'b' of 4"):
        tiles.run()
    with pytest.raises(InputError, match="blocks for stream 0 of tile 'a' must have 4 bytes, not 5"):
        tiles.give("a", 0, [bytes(5)])
    with pytest.raises(InputError, match="stream 1 of tile 'a' must be remote"):
        tiles.give("a", 1, [bytes(8)])
