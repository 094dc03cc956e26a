"""Parts of the tile with time: what happens in a cycle, what a ring acknowledges, how operands are taken."""

import numpy as np
import pytest

from mho.hw.core.shape import Drain
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTORS, Kind, Operand
from mho.hw.tile.isa.vector import pack_parameters
from mho.hw.tile.timing.clock import Clock, Notice, Process
from mho.hw.tile.timing.core import CoreTime, Result
from mho.hw.tile.timing.reads import BufferReads
from mho.hw.tile.timing.ring import ACKNOWLEDGES, Asker, Moves, Ring
from mho.hw.tile.timing.state import beats_of

CFG = TileConfig(lines=64, lanes=4, payload_bits=64)


def vec(**values: int) -> dict[str, int]:
    fields = {field.name: 0 for field in DESCRIPTORS["vec"].layout.fields}
    return fields | {"b": int(Operand.NONE), "period": 1} | values


def test_what_is_changed_in_a_cycle_is_seen_in_the_next_one_before_anything_else() -> None:
    clock, notice, log = Clock(), Notice(), list[tuple[int, str, bool]]()
    flag = [False]

    def change() -> None:
        flag[0] = True
        clock.tell(notice)

    def waits() -> Process:
        while not flag[0]:
            yield notice
        log.append((clock.now, "waits", flag[0]))

    def changes() -> Process:
        yield 5
        clock.at(clock.now + 1, change)
        log.append((clock.now, "changes", flag[0]))
        yield 1
        log.append((clock.now, "changes", flag[0]))

    clock.start(waits())
    clock.start(changes())
    assert not clock.run(lambda: False, 100)
    assert log == [(5, "changes", False), (6, "changes", True), (6, "waits", True)] or log == [
        (5, "changes", False), (6, "waits", True), (6, "changes", True)]


def test_a_ring_acknowledges_while_two_blocks_more_would_fit() -> None:
    """Of three blocks: the first at once, others when as many were given back."""
    clock, acknowledged = Clock(), list[int]()
    ring = Ring(clock, {"blocks": 3, "block": 8, "first": 0, "remote": 1}, Moves(clock))
    ring.acknowledge = lambda: acknowledged.append(clock.now)

    def fills() -> Process:
        ring.come()
        yield 10
        ring.come()
        yield 10
        ring.free()
        yield 10

    clock.start(fills())
    clock.run(lambda: False, 100)
    assert acknowledged == [ACKNOWLEDGES, 20 + ACKNOWLEDGES]
    assert ring.there == 1


@pytest.mark.parametrize(("last", "order"), [
    (Asker.SEQUENCER, [Asker.WALKS, Asker.SEND]), (Asker.VECTOR, [Asker.SEND, Asker.WALKS]),
])
def test_who_waits_for_a_change_is_answered_in_turn(last: Asker, order: list[Asker]) -> None:
    """One a cycle, from behind the one who was answered last, whoever has waited longer."""
    clock, answers = Clock(), list[tuple[int, Asker]]()
    moves = Moves(clock)

    def waits(port: Asker) -> Process:
        yield from moves.again(port)
        answers.append((clock.now, port))

    def changes() -> Process:
        yield from moves.answer(last, 3)
        yield 7
        moves.move()

    for process in (waits(Asker.SEND), waits(Asker.WALKS), changes()):
        clock.start(process)
    clock.run(lambda: False, 100)
    assert answers == [(11, order[0]), (12, order[1])]


@pytest.mark.parametrize(("fields", "count", "words"), [
    (vec(a=Operand.DRAIN, target=Operand.ACCUMULATORS, elements=10, period=10), 5, (0, 1, 2, 3, 4)),
    (vec(a=Operand.DRAIN, target=Operand.ACCUMULATORS, elements=9, period=9), 5, (0, 1, 2, 3, 4)),
    (vec(a=Operand.DRAIN, target=1, elements=10, period=10), 5, (0, 1, 2, 3, 4)),
    (vec(a=Operand.DRAIN, target=1, elements=10, period=3), 8, (0, 2, 3, 5, 7)),
    (vec(a=Operand.ACCUMULATORS, target=1, elements=10, period=10, wide=1), 5, ()),
    (vec(a=2, target=1, elements=10, period=10), 3, ()),
    (vec(a=Operand.DRAW, target=1, elements=10, period=10), 5, ()),
    (vec(a=2, b=Operand.DRAW, target=1, elements=6, period=3), 4 * (2 + 1), ()),
    (vec(a=2, target=1, elements=10, period=3), 4, ()),
    (vec(a=2, b=3, target=1, elements=8, period=8), 4, ()),
    (vec(a=2, b=0, kind=Kind.TABLE, target=1, elements=10, period=10), 10, ()),
    (vec(a=Operand.RESULT, target=1, elements=10, period=10), 3, (0, 1, 2)),
])
def test_operands_are_taken_in_groups(fields: dict[str, int], count: int, words: tuple[int, ...]) -> None:
    parameters = np.resize(pack_parameters(1, target=np.arange(16), valid=1), 512).astype(np.uint64)
    beats = beats_of(fields, CFG, (1, 1), parameters)
    assert (beats.count, beats.words) == (count, words)


def test_accumulators_of_one_bank_take_a_cycle_each() -> None:
    """Targets of a pair that are both even or both odd; of one target where the second begins."""
    fields = vec(a=Operand.DRAIN, target=Operand.ACCUMULATORS, elements=8, period=8)
    apart = pack_parameters(1, target=[0, 1, 2, 4, 5, 7, 6, 3], valid=1)
    assert beats_of(fields, CFG, (1, 1), apart).slow == 2
    dead = pack_parameters(1, target=[0, 1, 2, 4, 5, 7, 6, 3], valid=[1, 1, 1, 0, 0, 1, 1, 1])
    assert beats_of(fields, CFG, (1, 1), dead).slow == 0
    one = pack_parameters(1, target=[0, 0, 1, 1, 5, 5, 6, 8], valid=1, start=[1, 0, 0, 0, 0, 1, 0, 0])
    assert beats_of(fields, CFG, (1, 1), one).slow == 2


def test_a_window_takes_all_terms_of_each_group() -> None:
    fields = vec(a=int(Operand.WALK), kind=Kind.MAX, target=1, elements=10)
    assert beats_of(fields, CFG, (9, 1), np.zeros(512, np.uint64)).count == 27


@pytest.mark.parametrize(("codes", "begins"), [(12, 18), (30, 30)])
def test_a_product_begins_when_its_codes_are_there_and_its_masks_are_looked_up(codes: int, begins: int) -> None:
    """Masks of four words: 17 cycles behind the descriptor."""
    clock, result = Clock(), Result(0, 0)
    core = CoreTime(clock, lambda image, operation: (10,), 1, 17, Drain(latency=2, row_words=2, rows=4))

    def loads() -> Process:
        core.accept(result)
        core.load(codes, 0, 0, result)
        yield 1

    clock.start(loads())
    clock.run(lambda: False, 100)
    assert result.finish == begins + 10 + 1


@pytest.mark.parametrize(("first", "ends"), [(4, 16), (8, 19), (13, 22), (16, 22), (17, 16)])
def test_operands_wait_for_what_is_read_for_a_product_before_they_are(first: int, ends: int) -> None:
    """Six words that are read for the core from ``first`` on; operands are read in cycles 11 to 16 where none is."""
    clock, ended = Clock(), list[int]()
    reads = BufferReads(clock)

    def loads() -> Process:
        yield first - 2
        reads.codes(6, first)

    def computes() -> Process:
        yield 10
        yield from reads.operands(6)
        ended.append(clock.now)

    clock.start(loads())
    clock.start(computes())
    clock.run(lambda: False, 100)
    assert ended == [ends]
