"""The token machine, on random programs: with data, in the interpreter, it does the same."""

from collections import Counter

import numpy as np
import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.state import FunctionCore, Status, Wait
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import DESCRIPTOR_WORDS, Cause, Engine, Op, encode
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError
from mho.sim.tile_programs.random_programs import SIZES, alone, borderline, given_blocks, legal_program

LIMIT = 6000


class RandomCore(FunctionCore):
    """Codes of 64 lines that depend on all inputs; every 100th product is refused."""

    def __init__(self, refuses=False):
        weight = np.random.default_rng(0).integers(-9, 10, (64, 64))
        self.refuses, self.products = refuses, 0
        super().__init__(lambda codes: weight[:, : len(codes)] @ codes.view(np.int8).astype(int) // 7)

    def product(self, op, op_id, first, codes):
        self.products += 1
        if self.refuses and self.products % 100 == 0:
            raise InputError("refused")
        return super().product(op, op_id, first, codes)

    def write_masks(self, block):
        return


def any_program(rng: np.random.Generator, length: int = 20) -> Program:
    """Words of any bits."""
    def draw(count: int) -> tuple[int, ...]:
        return tuple(int(v) for v in rng.integers(0, 2**32, count))

    return Program(words=draw(length), descriptors=draw(DESCRIPTOR_WORDS))


def interpreted(program, limit=LIMIT):
    """Status, tokens of all events, these events, and the tile."""
    events = []
    tiles = Tiles(alone(program, RandomCore()), watch=lambda name, event: events.append(event))
    rng = np.random.default_rng(3)
    for (name, stream), count in given_blocks(program).items():
        size = program.descriptor("stream", stream)["block"]
        tiles.give(name, stream, [rng.bytes(size) for _ in range(count)])
    tiles.run(most=1, limit=limit)
    tile = tiles.tiles["t"]
    status = tile.status and (tile.status.cause, tile.status.pc, tile.status.stream)
    return status, tokens_of(events), events, tile


def tokens_of(events):
    """What does not depend on data, of retired instructions and of blocks that were sent."""
    return [[e._replace(op_id=0, checksum=0) for e in events if (e.engine is Engine.SEND) is sent]
            for sent in (False, True)]


def skeleton(program, limit=LIMIT):
    events = []
    machine = TokenMachine(alone(program), given_blocks(program), watch=lambda name, event: events.append(event))
    machine.run(limit=limit, most=1)
    return machine.tiles["t"], events


def same(program):
    status, (here, sent), events, tile = interpreted(program)
    tokens, skeleton_events = skeleton(program)
    retired, token_sends = tokens_of(skeleton_events)
    if status and status[0] is Cause.CORE:  # which needs data: the token machine goes on
        assert retired[: len(here)] == here
        return status, events
    assert (retired, token_sends, tokens.status) == (here, sent, tile.status)
    assert (tokens.tokens, tokens.waits, tokens.halted) == (tile.tokens, tile.waits, tile.halted)
    return status, events


def test_legal_programs_end_alike_in_both_machines():
    ops = Counter()
    for seed in range(8):
        status, events = same(legal_program(np.random.default_rng(seed), 30))
        assert status is None
        assert events[-1].op is Op.HALT or events[-1].engine is Engine.SEND
        ops.update(event.op for event in events)
    assert sum(ops.values()) > 150
    assert len(ops) >= 9, ops


def stopped(programs, changes):
    causes = Counter()
    for seed in range(programs):
        program = legal_program(np.random.default_rng(1000 + seed), 25)
        for k in range(changes):
            status, _ = same(borderline(np.random.default_rng([seed, k]), program))
            causes[status[0] if status else Cause.NONE] += 1
    return causes


@pytest.mark.slow
def test_borderline_programs_stop_alike():
    assert len(stopped(4, 10)) >= 5


@pytest.mark.slow
def test_a_program_of_one_word_can_be_changed():
    for seed in range(8):
        changed = borderline(np.random.default_rng(seed), Program(words=(encode(Op.HALT),)), 20)
        assert changed.words


@pytest.mark.slow
def test_many_programs_cover_all_that_is_built():
    ops, sources = Counter(), Counter()
    for seed in range(100, 110):
        program = legal_program(np.random.default_rng(seed), 40)
        status, events = same(program)
        assert status is None
        ops.update(event.op for event in events)
        sources.update(program.descriptor("vec", k)["a"] for k in range(16))
    assert set(ops) == set(Op)
    assert {24, 25, 26, 27, 31} <= set(sources)
    causes = stopped(8, 30)
    assert set(causes) >= set(Cause) - {Cause.CORE, Cause.WATCHDOG, Cause.END}, causes


def test_any_words_stop_alike():
    for seed in range(30):
        same(any_program(np.random.default_rng(seed)))


def test_a_wait_sees_what_the_send_engine_took():
    text = """
stream s: block 2, blocks 3, first 3
send s, flow 0, blocks 2, free
wait s 2
"""
    program = assemble(text)
    status, events = same(program)
    assert (status, [event.op for event in events]) == (None, [Op.SEND] * 3)
    assert skeleton(program)[0].waits == Wait("blocks", 0, 1)


def test_a_walk_gives_back_more_than_its_ring_holds():
    text = """
stream in: block 1, blocks 3, remote
walk first: stream in, width 5, height 4, positions_x 1, positions_y 1
stream out: block 1, blocks 2
vec one: kind max, a first, target out, elements 1
vec one, advance_a, free_a
"""
    program = assemble(text)
    status, events = same(program)
    assert (status, events[0].taken) == (None, ((0, 20),))


def test_what_was_read_is_given_back_behind_a_walk_that_waits():
    text = """
stream held: block 2, blocks 2, first 1
stream empty: block 1, blocks 4
stream out: block 2, blocks 2
walk beside: stream empty, width 3, pad_x 1, positions_x 1, positions_y 1
vec one: a held, b beside, target out, elements 1
vec one, advance_b, free_a, free_b
"""
    program = assemble(text)
    *_, tile = interpreted(program)
    tokens, _ = skeleton(program)
    assert tile.waits == tokens.waits == Wait("blocks", 1, 1)
    assert tile.tokens == tokens.tokens == [1] + [0] * (len(tile.tokens) - 1)


def test_the_watchdog_stops_what_waits():
    program = assemble("stream in: block 4, blocks 2, remote, slot 3\nimage\nwait in")
    tiles = Tiles(alone(program))
    assert not tiles.run()
    tile = tiles.tiles["t"]
    tile.expire()
    assert tile.status == Status(Cause.WATCHDOG, Engine.SEQUENCER, 1, 0, 1)
    assert tile.status.words() == (11 | 1 << 6, 1)


def test_the_watchdog_stops_what_waits_behind_the_end():
    program = assemble("stream out: block 4, blocks 2\nsend out, flow 0\nhalt")
    tiles = Tiles(alone(program))
    assert not tiles.run()
    tile = tiles.tiles["t"]
    assert tile.ended
    assert tile.status is None
    tile.expire()
    assert tile.status == Status(Cause.WATCHDOG, Engine.SEQUENCER, 1, 0, 0)


def test_the_end_of_the_memory_and_words_of_a_set_across_it():
    words = [encode(Op.IMAGE)] * SIZES.instructions
    assert same(Program(words=tuple(words)))[0] == (Cause.END, min(SIZES.instructions, 511), 0)
    words[-1] = encode(Op.SET, first=40, words=1)
    assert same(Program(words=tuple(words)))[0] == (Cause.END, SIZES.instructions - 1, 0)
    loop = [encode(Op.LOOP, body=2, n=1), encode(Op.IMAGE), encode(Op.SET, first=40, words=1), 0]
    assert same(Program(words=tuple(loop)))[0] == (Cause.LOOP, 2, 0)


def test_a_core_that_refuses_stops_its_tile():
    text = "stream in: block 4, blocks 2, remote\nwalk w: stream in\nmvm m: i_last 0, o_last 0\nmvm m, w"
    tiles = Tiles(alone(assemble(text)))
    tiles.give("t", 0, [b"abcd"])
    assert not tiles.run()
    assert tiles.tiles["t"].status == Status(Cause.CORE, Engine.LOAD, 0, 0, 0)
