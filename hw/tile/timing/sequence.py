"""The sequencer of a tile with time, and what engines look at before they take an instruction.

States are those of :class:`mho.hw.tile.rtl.sequencer.sequencer.Sequencer` and of the engines' ``_look``, cycle by
cycle.
"""

from collections.abc import Mapping

from mho.hw.tile.interpreter.plans import Plan, plan_of
from mho.hw.tile.interpreter.state import LoopStack
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, Op, Operand, decode
from mho.hw.tile.isa.rules import is_stream, is_walk
from mho.hw.tile.timing.clock import Process
from mho.hw.tile.timing.core import Result
from mho.hw.tile.timing.ring import Asker, Ring
from mho.hw.tile.timing.state import Beats, Operation, Product, TileState, beats_of
from mho.hw.tile.timing.walker import LOOK_LOAD, LOOK_VECTOR, Asked

_FETCH = 6
"""Cycles from a strobe until a descriptor of four words is read."""
_RENEWED = 5
"""Cycles in which a walk that was written begins anew: :class:`mho.hw.tile.rtl.engines.descriptors.Descriptors`."""


def _own(op: Op, **units: int) -> int:
    """Cycles between ``Decode``, a cycle before which an instruction is known here, and ``Next``."""
    return INSTRUCTIONS[op].duration.cycles(**units) - 2


class Sequence:
    """Carries out a program for ever."""

    def __init__(self, state: TileState) -> None:
        self._tile, self._clock = state, state.clock
        self._image, self._numbers = state.program.image, dict[int, int]()
        self._plans: dict[int, Plan] = {}
        self._beats: dict[int, Beats] = {}
        self._seen: set[int] = set()
        self._drawn = False

    def run(self) -> Process:
        """From the start on."""
        tile = self._tile
        loops, pc = LoopStack(tile.cfg.instructions), 0
        yield 1
        while True:
            yield 1
            if pc not in self._plans:
                self._plans[pc] = plan_of(tile.words, pc, tile.memory, tile.cfg)
            plan = self._plans[pc]
            yield 1
            if plan.op is Op.HALT:
                yield INSTRUCTIONS[plan.op].duration.cycles() - 1
                return
            if plan.loop is not None:
                pc = loops.open(pc, plan.loop[0], plan.times(tile.program.registers))
                yield INSTRUCTIONS[plan.op].duration.cycles() - 1
                continue
            yield from self._carry_out(plan, pc)
            depth = loops.depth
            pc = loops.following(pc + plan.words)
            yield 1 + depth - loops.depth

    def _carry_out(self, plan: Plan, pc: int) -> Process:
        """From the first state behind ``Decode`` to the last one before ``Next``."""
        tile = self._tile
        match plan.op:
            case Op.MVM:
                yield from self._mvm(plan, pc)
            case Op.VEC:
                yield from self._vec(plan, pc)
            case Op.IMAGE:
                yield _own(plan.op)
                yield from self._settle()
                self._image, self._numbers, self._drawn = self._image + 1, {}, False
            case Op.SEND:
                assert plan.send is not None
                yield 1
                yield from tile.changes.answer(Asker.SEQUENCER, self._clock.now + 1)
                yield from tile.take(tile.sends, 1 << plan.send.stream)
                tile.sends.put(plan, 1 << plan.send.stream)
            case Op.SET:
                yield from tile.quiet()
                yield _own(plan.op, word=plan.words)
                self._set(plan, pc)
            case _:
                yield from self._tokens(plan)

    def _tokens(self, plan: Plan) -> Process:
        rings = self._tile.rings
        yield from self._tile.quiet()
        yield 1 if plan.op is Op.CORE else _own(plan.op)
        while (any(rings[s].there < n for s, n in plan.needs)
               or any(rings[s].there + n > rings[s].blocks for s, n in plan.rooms)):
            yield from self._tile.changes.again(Asker.SEQUENCER)
        for changes, change in ((plan.takes, Ring.free), (plan.shows, Ring.come)):
            for stream, count in changes:
                for _ in range(count):
                    yield 1
                    change(rings[stream])

    def _set(self, plan: Plan, pc: int) -> None:
        """Words of descriptors, which are there in the last cycle."""
        tile, stale = self._tile, 0
        tile.memory[plan.first : plan.first + plan.words] = tile.words[pc + 1 : pc + 1 + plan.words]
        self._plans.clear()
        self._beats.clear()
        for number in DESCRIPTORS["mvm"].written(plan.first, plan.words):
            self._numbers.pop(number, None)
        for number in DESCRIPTORS["walk"].written(plan.first, plan.words):
            tile.walker.renew(number)
            self._seen.discard(number)
            stale += 1
        if stale:
            tile.settled = self._clock.now + 1 + _RENEWED * stale

    def _settle(self) -> Process:
        yield max(0, self._tile.settled - self._clock.now)

    def _mvm(self, plan: Plan, pc: int) -> Process:
        """Until the load engine takes a product."""
        tile, (walk,) = self._tile, plan.windows
        yield from self._settle()
        started = self._clock.now
        yield 1
        if walk not in self._seen:
            yield from tile.walker.ask(LOOK_LOAD, Asked("look", walk))
            self._seen.add(walk)
        yield max(1, started + _FETCH + 1 - self._clock.now)
        yield from tile.take(tile.products, plan.guard)
        fields = self._fields(pc)
        mvm = DESCRIPTORS["mvm"].values(tile.memory, fields["mvm"])
        number = self._numbers.get(fields["mvm"], mvm["operation"])
        self._numbers[fields["mvm"]] = number + mvm["conversions"] & 0xFFFFFFFF
        result = Result(mvm["o_first"], mvm["o_last"])
        image = self._image + fields["ahead"] & 0xFFFFFFFF
        tile.products.put(Product(plan, mvm, walk, bool(fields["free"]), image, number, result), plan.guard)

    def _vec(self, plan: Plan, pc: int) -> Process:
        """Until the vector engine takes an operation."""
        tile, number = self._tile, self._fields(pc)["vec"]
        yield from self._settle()
        yield _FETCH + 1
        vec = DESCRIPTORS["vec"].values(tile.memory, number)
        for name in "ab":
            if is_walk(vec[name]) and vec[name] - Operand.WALK in plan.windows:
                yield from tile.walker.ask(LOOK_VECTOR, Asked("look", vec[name] - Operand.WALK))
            yield 1
            if is_stream(vec[name]):
                yield from tile.changes.answer(Asker.LOOK, self._clock.now + 1)
        # A question is answered in the second cycle; then rules are judged.
        if is_stream(vec["target"]):
            yield 1
            yield from tile.changes.answer(Asker.LOOK, self._clock.now + 1)
        yield 1
        yield from tile.take(tile.operations, plan.guard)
        if number not in self._beats:
            terms = [tile.walker.place(vec[n] - Operand.WALK).walk.terms if is_walk(vec[n]) else 1 for n in "ab"]
            self._beats[number] = beats_of(vec, tile.cfg, (terms[0], terms[1]), tile.parameters)
        beats = self._beats[number]
        tile.operations.put(Operation(plan, vec, beats, beats.draws and not self._drawn), plan.guard)
        self._drawn |= beats.draws

    def _fields(self, pc: int) -> Mapping[str, int]:
        return decode(self._tile.words[pc])[1]
