"""The engines of a tile with time: products, vector operations, blocks that are sent."""

from functools import lru_cache

from mho.hw.core.draws import SEED_CYCLES
from mho.hw.tile.isa import INSTRUCTIONS, Kind, Op, Operand
from mho.hw.tile.isa.rules import is_result, is_stream, is_walk
from mho.hw.tile.timing.clock import Process
from mho.hw.tile.timing.ring import Asker
from mho.hw.tile.timing.state import Operation, Product, TileState
from mho.hw.tile.timing.walker import LOAD, VECTOR, Asked

_UNIT = INSTRUCTIONS[Op.VEC].duration.fixed - 6
"""Cycles from the last operands of a vector operation to its end: the queue, the lanes, the accumulators."""
_BEATS = 8
"""Operands that are taken while room for their target is waited for."""
_CODES = 4
_QUEUED = 4
"""Codes of a word; words that are read before they are given (:class:`mho.hw.tile.rtl.engines.gather.Gather`)."""


def load(tile: TileState) -> Process:
    """Products, as ``_run`` of :class:`mho.hw.tile.rtl.engines.load.LoadEngine`."""
    queue, core, clock = tile.products, tile.core, tile.clock

    def held() -> int:
        return tile.gathered

    while True:
        yield from queue.oldest()
        job = queue.front
        restart = job.plan.restarts is not None
        yield from tile.walker.ask(LOAD, Asked("plan", job.walk, restart=restart, held=held))
        opened, reads = clock.now, _reads_of(tile, job)
        tile.reads.codes(reads[:_QUEUED][-1], opened + 2)
        yield 1
        while core.taken or clock.now < tile.given:
            yield core.changed if core.taken else tile.given - clock.now
        tile.pending, tile.gathering = True, job.plan.guard
        last = _codes(tile, job, reads, opened)
        core.accept(job.result)
        core.load(last + 1, job.image, job.operation, job.result)
        tile.given = last + 1
        clock.at(last + 1, lambda: clock.tell(tile.moved))
        yield 1
        if job.plan.advances or restart:
            yield from tile.walker.ask(LOAD, Asked("go", job.walk, free=job.free, advance=bool(job.plan.advances),
                                                   restart=restart, held=held))
        tile.pending = False
        queue.go()
        tile.moves()
        yield 1


def _codes(tile: TileState, job: Product, reads: tuple[int, ...], opened: int) -> int:
    """The cycle of the last word of codes; each that is given makes room for another one."""
    mvm, given = job.mvm, list[int]()
    count = tile.cfg.input_words if mvm["op"] & 1 else tile.cfg.forward_words
    at = tile.clock.now + mvm["i_first"]
    for read in reads:
        at = max(at + 1, opened + 4 + read)
        given.append(at)
    for word in range(_QUEUED, len(reads)):
        tile.reads.codes(reads[word] - reads[word - 1], given[word - _QUEUED] + 1)
    tile.gathered = tile.reads.codes_until
    return at + count - mvm["i_first"] - len(reads)


def _reads_of(tile: TileState, job: Product) -> tuple[int, ...]:
    walk = tile.walker.place(job.walk).walk
    return _reads(walk.run, walk.terms * walk.repeat, walk.tail)


@lru_cache(maxsize=1024)
def _reads(run: int, runs: int, tail: int) -> tuple[int, ...]:
    """Reads of the buffer up to the last one of each word of codes: :class:`mho.hw.tile.rtl.engines.gather.Gather`."""
    words, fill, reads = list[int](), 0, 0
    for left in [*[run] * runs, *([tail] if tail else [])]:
        while left:
            count = min(_CODES - fill, left)
            left, fill, reads = left - count, (fill + count) % _CODES, reads + 1
            if not fill:
                words.append(reads)
    return (*words, reads) if fill else tuple(words)


def vector(tile: TileState) -> Process:
    """Vector operations, as :class:`mho.hw.tile.rtl.engines.vector_control.VectorControl`."""
    queue, rings, clock = tile.operations, tile.rings, tile.clock
    while True:
        yield from queue.oldest()
        job, begun = queue.front, clock.now
        yield 1
        # The first question is asked a cycle before, but for what walks.
        late = int(bool(job.plan.windows))
        if job.plan.windows:
            yield from _windows(tile, job)
        for name in "ab":
            if is_stream(job.vec[name]) and job.vec[name] in dict(job.plan.needs):
                ring = rings[job.vec[name]]
                yield from ring.answered(Asker.VECTOR, clock.now + late, lambda ring=ring: ring.there > 0)
                late = 1
                yield 1
        if job.first:
            tile.mixed = begun + SEED_CYCLES + 1
        if job.beats.draws:
            yield max(0, tile.mixed - clock.now)
        clock.start(_room(tile, job))
        yield from _operands(tile, job)
        if job.beats.draws:
            # Those of the next one are mixed from the next cycle on.
            tile.mixed = clock.now + SEED_CYCLES + 2
        taken, beats = clock.now, job.beats
        while job.placed < 0:
            yield job.room
        # What waited for room leaves the queue one by one.
        table = int(job.vec["kind"] == Kind.TABLE)
        ends = _UNIT + max(taken + beats.late + beats.slow, job.placed + beats.count - 1 + table)
        yield max(taken + 1, job.placed + max(1, beats.count + 3 - _BEATS)) - clock.now
        for number, free in job.plan.advances:
            yield 1
            yield from tile.walker.ask(VECTOR, Asked("go", number, free=bool(free)))
        for stream, _ in job.plan.takes:
            yield 1
            rings[stream].free()
        yield max(1, ends - clock.now)
        for stream, _ in job.plan.shows:
            yield 1
            rings[stream].come()
        queue.go()
        tile.moves()
        yield 1


def _room(tile: TileState, job: Operation) -> Process:
    """Asks for room for the target while operands are taken."""
    for stream, _ in job.plan.rooms:
        ring = tile.rings[stream]
        yield from ring.answered(Asker.VECTOR, tile.clock.now + 1, lambda ring=ring: ring.there < ring.blocks)
    job.placed = tile.clock.now
    tile.clock.tell(job.room)


def _windows(tile: TileState, job: Operation) -> Process:
    """Until all windows are planned: each in turn, as each may be a trap, and again when something came or went."""
    numbers = {name: job.vec[name] - Operand.WALK for name in "ab" if is_walk(job.vec[name])}
    missing = {name: number for name, number in numbers.items() if number in job.plan.windows}
    while True:
        later = tile.clock.now
        for name in "ab":
            if name in missing:
                request = Asked("plan", missing[name], hasty=len(missing) > 1)
                yield from tile.walker.ask(VECTOR, request)
                later = tile.clock.now if name == "a" else later
                if request.done >= 0:
                    del missing[name]
            yield 1
        if len(missing) > 1:
            yield from tile.changes.since(later)
        yield 1
        if not missing:
            return


def _operands(tile: TileState, job: Operation) -> Process:
    """From ``Start`` to the cycle of the last operands."""
    a, beats = job.vec["a"], job.beats
    if a == Operand.DRAIN:
        yield from _drain(tile, job)
    elif is_result(a):
        yield from tile.around.sums(tile.name, a - Operand.RESULT, len(beats.words))
    else:
        yield from tile.reads.operands(beats.count) if beats.memory else [beats.count]


def _drain(tile: TileState, job: Operation) -> Process:
    """Takes the words of the oldest product as they come."""
    clock, core = tile.clock, tile.core
    while not core.results:
        yield tile.moved
    result = core.results.popleft()
    while result.finish < 0:
        yield result.complete
    at, before = clock.now, -1
    for word, beat in enumerate(job.beats.words):
        at = max(at + beat - before, core.shown(result, word))
        if beat >= _BEATS:
            while job.placed < 0:
                yield job.room
            at = max(at, job.placed + beat + 3 - _BEATS)
        before = beat
        yield max(0, at - clock.now)
        core.took(result, word, at)


def send(tile: TileState) -> Process:
    """Blocks, as :class:`mho.hw.tile.rtl.engines.send.SendEngine`."""
    queue, clock, size = tile.sends, tile.clock, tile.cfg.flit_bytes
    while True:
        yield from queue.oldest()
        plan = queue.front
        block_send = plan.send
        assert block_send is not None
        tile.sending = 1 << block_send.stream
        queue.go()
        clock.tell(tile.moved)
        ring = tile.rings[block_send.stream]
        flits = -(-ring.block // size)
        yield 1
        for sent in range(block_send.blocks):
            needed = 0 if block_send.free else sent
            yield from ring.answered(Asker.SEND, clock.now + 1, lambda needed=needed, ring=ring: ring.there > needed)
            yield 2
            for flit in range(flits):
                # Whoever reads for the core or the vector unit goes first; what is read goes through a queue.
                yield 1 if flit else 2 + max(0, tile.reads.operands_until - clock.now)
                yield from tile.around.flit(tile.name, plan, first=flit == 0, last=flit == flits - 1)
            # One goes before the question, one before its answer, three before the first flit, and one frees.
            yield INSTRUCTIONS[Op.SEND].duration.per["block"] - 5
            if block_send.free:
                ring.free()
            yield 1
        tile.sending = 0
        clock.tell(tile.moved)
