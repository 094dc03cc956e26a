"""Programs that can get stuck are refused, with what would help; those that pass get through in every order."""

import numpy as np
import pytest

from mho.hw.tile.asm import assemble, assemble_named
from mho.hw.tile.interpreter.joined import HOST, Flow, HostStep, Joined, Place, Reduction
from mho.hw.tile.interpreter.liveness import check_liveness, check_runs
from mho.hw.tile.interpreter.state import FunctionCore
from mho.hw.tile.interpreter.tiles import Tiles
from mho.macro_models.errors import InputError
from tests.hw.tile.interpreter.networks import example, residual, residual_network, with_blocks

CORE = FunctionCore(lambda codes: np.zeros(64, np.int16))


def one(text, **rings):
    return Joined(tiles={"a": Place(program=assemble(text), names=assemble_named(text).streams, core=CORE)}, **rings)


@pytest.mark.parametrize(("name", "tokens"), [("perceptron", 1), ("conv_pool", 64)])
def test_examples_of_one_tile_pass(name, tokens):
    joined = Joined(tiles={"a": example(name)}, flows=(Flow(sender="a", number=0, to=(HOST,)),))
    assert check_liveness(joined, {("a", 0): tokens}) > 0


def test_layer_with_reduction_passes():
    names = ("root", "b", "c", "d")
    joined = Joined(
        tiles={n: example("split_root" if n == "root" else "split_member") for n in names},
        flows=(Flow(sender="root", number=0, to=(HOST,)),),
        reductions=(Reduction(context=0, members=names, root="root"),),
    )
    assert check_liveness(joined, {(n, 0): 1 for n in names}) == 3 * 5 + 7
    with pytest.raises(InputError, match="tile 'root' waits at instruction 5 for operands of context 0"):
        check_liveness(joined, {(n, 0): 1 for n in names[:3]})


def test_a_skip_ring_one_block_short_is_refused_and_stuck():
    assert check_liveness(residual(12), {("first", 0): 64}) == 64 * 10 + 2 * 2
    with pytest.raises(InputError, match=r"^the programs can get stuck: ring 'skip' of tile 'second' has 4 blocks, "
                                         r"(\d+) would do$") as refused:
        check_liveness(residual(4), {("first", 0): 64})
    enough = int(str(refused.value).split()[-3])
    assert enough == 8 + 2  # the second convolution is a row and two pixels behind
    assert check_liveness(residual(enough), {("first", 0): 64})
    with pytest.raises(InputError, match="can get stuck"):
        check_liveness(residual(enough - 1), {("first", 0): 64})
    for seed in range(3):  # whatever the order in which the tiles go on
        tiles = Tiles(residual(enough - 1), images=1)
        tiles.give("first", 0, [bytes(4)] * 64)
        rng = np.random.default_rng(seed)
        assert not tiles.run(most=seed + 1, order=lambda names, rng=rng: list(rng.permutation(names)))
        assert tiles.tiles["second"].waits.why == "blocks"


def test_a_line_buffer_that_is_too_short_is_named_with_what_its_walk_needs():
    joined = Joined(tiles={"a": example("conv_pool", in_blocks=18)}, flows=(Flow(sender="a", number=0, to=(HOST,)),))
    with pytest.raises(InputError, match="ring 'in' of tile 'a' has 18 blocks, 19 would do"):
        check_liveness(joined, {("a", 0): 64})


LOOP = "loop forever {{\n{}\nimage\n}}"
STREAMS = """
stream in: block 4, blocks 2, remote
stream mid: block 4, blocks 2
vec copy: kind max, a in, target mid, elements 4
"""


@pytest.mark.parametrize(("body", "sentence"), [
    ("vec copy, free_a, push", r"an image leaves \+1 blocks in ring 'mid' of tile 'a', and must leave as many as"),
    ("vec copy, push\nfree mid", "the host keeps 1 blocks|an image leaves .* blocks in ring 'in' of tile 'a'"),
    ("free mid\nvec copy, free_a, push", "whatever the rings: tile 'a' waits at instruction 1 for blocks of 'mid'"),
    ("vec copy, free_a\nfree in\n", "stuck whatever the rings: tile 'a' waits at instruction 2 for blocks of 'in'"),
    ("vec copy, free_a, push\nfree mid 3", "tile 'a' traps at instruction 2: ring"),
])
def test_programs_of_one_tile_that_are_refused(body, sentence):
    with pytest.raises(InputError, match=sentence):
        check_liveness(one(STREAMS + LOOP.format(body)), {("a", 0): 1})


def test_an_image_that_never_ends_is_refused():
    with pytest.raises(InputError, match="must end within 1000 instructions"):
        check_liveness(one("stream in: block 4, blocks 2, first 1\nloop forever {\nwait in\n}"), limit=1000)


def test_tiles_that_wait_for_each_other_are_refused():
    text = ("stream in: block 4, blocks 2, remote\nstream out: block 4, blocks 2\n"
            "vec copy: kind max, a in, target out, elements 4\n"
            "loop forever {\nvec copy, free_a, push\nsend out, flow 0, free\nimage\n}")
    place = Place(program=assemble(text), names=assemble_named(text).streams)
    joined = Joined(tiles={"a": place, "b": place}, flows=(
        Flow(sender="a", number=0, to=("b",)), Flow(sender="b", number=0, to=("a",))))
    with pytest.raises(InputError, match="tile 'a' waits at instruction 1 for blocks of 'in'; tile 'b'"):
        check_liveness(joined)
    fed = assemble(text.replace("blocks 2, remote", "blocks 3, remote, first 1"))
    joined = Joined(tiles={"a": Place(program=fed), "b": place}, flows=joined.flows)
    assert check_liveness(joined) == 6


def test_images_that_overlap_may_leave_a_product_in_flight():
    text = ("stream in: block 4, blocks 2, remote\nstream out: block 4, blocks 2\nwalk w: stream in\n"
            "mvm m: i_last 0, o_last 1\nvec v: kind max, a drain, target out, elements 4\n"
            "mvm m, w, advance, free\n"
            "loop forever {\nmvm m, w, advance, free\nvec v, push\nsend out, flow 0, free\nimage\n}")
    joined = one(text, flows=(Flow(sender="a", number=0, to=(HOST,)),))
    with pytest.raises(InputError, match="waits at instruction 2 for blocks of 'in'"):
        check_liveness(joined, {("a", 0): 1})


def test_a_residual_network_of_twenty_layers_passes():
    joined, tokens = residual_network(width=16)
    assert len(joined.tiles) == 20
    assert check_liveness(joined, tokens) > 10_000
    whole = joined.tiles["c21b"]
    short = Place(program=with_blocks(whole.program, 2, 4), names=whole.names)
    with pytest.raises(InputError, match="ring 'skip' of tile 'c21b' has 4 blocks, 6 would do"):
        check_liveness(Joined(tiles={**joined.tiles, "c21b": short}, flows=joined.flows), tokens)


def test_the_host_answers_when_all_that_it_takes_has_come():
    streams = "stream in: block 4, blocks 2, remote, slot 0\nstream back: block 4, blocks 2, remote, slot 1\n"
    sends, takes = "loop 3 {\nsend in, flow 0, free\n}\n", "wait back\nfree back\n"
    flows, step = (Flow(sender="a", number=0, to=(HOST,)),), HostStep(takes={("a", 0): 3}, gives={("a", 1): 1})

    def verdict(body, host=step):
        text = streams + "loop forever {\n" + body + "image\n}"
        return check_liveness(one(text, flows=flows, host=(host,)), {("a", 0): 3})

    assert verdict(sends + takes) == 7
    with pytest.raises(InputError, match="tile 'a' waits at instruction 1 for blocks of 'back'"):
        verdict(takes + sends)
    with pytest.raises(InputError, match="stuck whatever the rings"):
        verdict(sends + takes, host=HostStep(takes={("a", 0): 4}, gives={("a", 1): 1}))
    with pytest.raises(InputError, match="must take a flow that is sent to it, not 1 of tile 'a'"):
        verdict(sends + takes, host=HostStep(takes={("a", 1): 3}, gives={("a", 1): 1}))


PIPELINE = """
stream in: block 4, blocks {}, remote
stream mid: block 4, blocks {}
stream out: block 4, blocks 2
vec early: kind max, a in, target mid, elements 4
vec late: kind max, a mid, target out, elements 4
loop 3 {{
    vec early, free_a, push
}}
loop register 1 {{
    loop 3 {{
        vec early, free_a, push
    }}
    loop 3 {{
        vec late, free_a, push
        send out, flow 0, free
    }}
    image
}}
loop 3 {{
    vec late, free_a, push
    send out, flow 0, free
}}
image
{}"""


def test_runs_of_any_number_of_images():
    flows = (Flow(sender="a", number=0, to=(HOST,)),)

    def verdict(blocks, end="halt"):
        return check_runs(one(PIPELINE.format(4, blocks, end), flows=flows), {("a", 0): 3})

    assert verdict(6) == 1 + 3 + 1 + 6 + 1  # two loops, nine operations and sends, the next image
    with pytest.raises(InputError, match="ring 'mid' of tile 'a' has 4 blocks, 6 would do"):
        verdict(4)
    joined = one(PIPELINE.format(4, 6, "halt"), flows=flows)
    for images in (1, 2, 7):
        tiles = Tiles(joined.for_images(images), images=images)
        tiles.give("a", 0, [bytes([k] * 4) for k in range(3 * images)])
        assert tiles.run()
        assert [block[0] for block in tiles.received["a", 0]] == list(range(3 * images))
    assert one(LOOP.format("image")).for_images(5).tiles["a"].program.registers == (0, 0, 0)
    with pytest.raises(InputError, match="a run must have 1 to 65536 images on tiles that count them, not 65537"):
        joined.for_images(65537)


def test_runs_whose_images_leave_something_are_refused():
    text = PIPELINE.format(4, 8, "halt").replace("    image", "    free mid\n    image", 1)
    with pytest.raises(InputError, match=r"waits at instruction \d+ for blocks of 'mid'"):
        check_runs(one(text, flows=(Flow(sender="a", number=0, to=(HOST,)),)), {("a", 0): 3})
    text = PIPELINE.format(4, 40, "halt").replace("loop 3 {\n    vec late", "loop 2 {\n    vec late")
    with pytest.raises(InputError, match=r"an image leaves \+1 blocks in ring 'mid' of tile 'a'"):
        check_runs(one(text.replace("loop 3 {\n        vec late", "loop 2 {\n        vec late"), flows=(
            Flow(sender="a", number=0, to=(HOST,)),)), {("a", 0): 3})
