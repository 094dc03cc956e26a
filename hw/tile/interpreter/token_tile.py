"""The tokens of one tile: what its program does to the blocks of its streams, without data and without time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mho.hw.tile.interpreter.joined import Place
from mho.hw.tile.interpreter.plans import Plan, Send, plan_of
from mho.hw.tile.interpreter.state import LoopStack, Retired, Status, TrapError, Wait
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, STATUS, STREAMS, Cause, Engine, Op
from mho.hw.tile.isa.window import sliding_window


class TokenNet(Protocol):
    """What is around the tile of a name."""

    def send(self, tile: str, flow: int) -> bool:
        """Gives a block to all members of a flow, False if one has no room."""
        ...

    def offer(self, tile: str, context: int) -> bool:
        """Offers an operand; whether it was taken since it was first offered."""
        ...

    def take_lanes(self, tile: str, context: int, count: int) -> bool:
        """Takes lanes of sums, False while operands are missing."""
        ...

    def too_short(self, tile: str, stream: int, blocks: int) -> None:
        """A window needs so many blocks, more than its ring has: a trap, or a larger ring."""
        ...


class _Walk:
    """Where a walk is, and what it needs and gives back at each position."""

    __slots__ = ("image", "low", "need", "number", "oldest", "origin", "stream", "window")

    def __init__(self, values: Mapping[str, int], origin: int) -> None:
        self.window = walk = sliding_window(values)
        self.stream, self.image = values["stream"], walk.image
        self.need, self.low, self.oldest = walk.need.tolist(), walk.low.tolist(), walk.oldest.tolist()
        self.number, self.origin = 0, origin


class _Sending:
    """A SEND that is under way: what, and how many blocks of it went."""

    __slots__ = ("done", "image", "pc", "send")

    def __init__(self, send: Send, pc: int, image: int) -> None:
        self.send, self.pc, self.image, self.done = send, pc, image, 0

    @property
    def offset(self) -> int:
        """Of the block that goes next: how many are before it in its stream."""
        return 0 if self.send.free else self.done


class TokenTile:
    """The tokens of a tile.

    Parameters
    ----------
    name, place, net
        Its name, program and sizes, and the machine that it is part of.
    watch
        Is told each instruction that retires, and each block that is sent.

    Attributes
    ----------
    came, freed, blocks
        Of each stream: blocks that came and were given back since the start, and those of its ring.
    status, reason
        Why it stopped, None while it has not trapped, and what the core said to it.
    halted, done
        Whether the program ended; images that did.
    fired, moves
        Instructions that were carried out; how often a walk gave blocks back.
    waits, sends
        What sequencer and send engine wait for.
    plans
        Of instructions that were carried out, by their addresses.
    """

    def __init__(
        self, name: str, place: Place, net: TokenNet, watch: Callable[[Retired], None] | None = None
    ) -> None:
        program, self.cfg, self.name, self._net, self._watch = place.program, place.cfg, name, net, watch
        self._words = [*program.words, *[0] * (place.cfg.instructions - len(program.words))]
        self._memory, self._registers = list(program.descriptors), program.registers
        values = [program.descriptor("stream", k) for k in range(STREAMS)]
        self.came = [v["first"] for v in values]
        self.freed = [0] * STREAMS
        self.blocks = [v["blocks"] for v in values]
        self.status: Status | None = None
        self.reason = ""
        self.halted, self.done, self.fired, self.moves = False, 0, 0, 0
        self.image = program.image
        self.waits: Wait | None = None
        self.sends: Wait | None = None
        self.sending: _Sending | None = None
        self.op_id = self.checksum = 0
        self.products: list[int] = []
        self._loops, self._pc = LoopStack(place.cfg.instructions), 0
        self.plans: dict[int, Plan] = {}
        self._walks: dict[int, _Walk] = {}
        self._origins = [0] * DESCRIPTORS["walk"].count
        self._begun = self._read = False
        self._taken: dict[int, int] = {}

    @property
    def at(self) -> int:
        """Address of the instruction that is carried out, or comes next."""
        return self._pc

    def extend(self, words: Sequence[int]) -> None:
        """Replace the program by one that begins alike, and go on where it stands."""
        self._words[: len(words)] = words
        self._pc -= self.halted
        self.halted = False
        self.plans = {pc: plan for pc, plan in self.plans.items() if pc < self._pc}

    @property
    def ended(self) -> bool:
        """Whether nothing more is issued, but for the next image."""
        return self.halted or self.status is not None

    @property
    def tokens(self) -> list[int]:
        """Blocks that are in each stream."""
        return [came - freed for came, freed in zip(self.came, self.freed, strict=True)]

    def room(self, stream: int) -> int:
        """Blocks that fit in a stream."""
        return self.blocks[stream] - self.came[stream] + self.freed[stream]

    def descriptor(self, kind: str, number: int) -> dict[str, int]:
        """Values of a descriptor as it is now."""
        return DESCRIPTORS[kind].values(self._memory, number)

    def expire(self) -> None:
        """The watchdog: a tile that waits stops, one too whose program has ended and whose send engine waits.

        In hardware, where engines have several instructions in hand, the program may be further on.
        """
        if self.status is None and (self.waits is not None or self.sends is not None):
            self.status = Status(Cause.WATCHDOG, Engine.SEQUENCER, self._pc - self.halted, 0, self.image)
            self.waits = None

    def state(self, *, counted: bool = True) -> tuple[object, ...]:
        """All that later tokens depend on, but for the number of the image; with how often loops come yet, or not."""
        loops = [loop if counted else loop[:2] for loop in self._loops.state()]
        walks = {k: (w.number, w.origin - self.freed[w.stream]) for k, w in self._walks.items()
                 if (w.number, w.origin) != (0, self.freed[w.stream])}
        return (self._pc, tuple(loops), tuple(self.tokens), walks, tuple(self.products), tuple(self._memory),
                self.ended)

    def proceed(self, images: int | None) -> bool:
        """Carry out an instruction; False if it waits, has ended, or ``images`` images are done."""
        if self.halted or self.status is not None or self.done == images:
            return False
        pc = self._pc
        plan = self.plans.get(pc)
        if plan is None:
            plan = self.plans[pc] = plan_of(self._words, pc, self._memory, self.cfg)
        try:
            if not self._begun:
                self._begin(plan)
            self.waits = self._blocked(plan)
            if self.waits is not None:
                return False
            self._finish(plan, pc)
        except TrapError as error:
            engine = INSTRUCTIONS[plan.op].engine if self._begun else Engine.SEQUENCER
            # The address after the last word of the largest memory has no place in the status: it reads as that word.
            self.status = Status(error.cause, engine, min(pc, STATUS["pc"].range[1]), error.stream, self.image)
            self.reason, self.waits = str(error.__cause__ or ""), None
            return False
        self.fired += 1
        return True

    def _begin(self, plan: Plan) -> None:
        """What is asked once, when the instruction is issued."""
        if plan.trap is not Cause.NONE:
            raise TrapError(plan.trap, plan.about)
        if plan.misses_product(self.products):
            raise TrapError(Cause.PRODUCT)
        self._taken, self._begun, self._read = {}, True, False

    def _blocked(self, plan: Plan) -> Wait | None:
        """What it waits for; gives back what walks free as far as that is there."""
        if not self._read:
            wait = self._unread(plan)
            if wait is not None:
                return wait
            self._read = True
            self._compute(plan)
        for number, free in plan.advances:
            if free:
                wait = self._give_back(self._walk(number))
                if wait is not None:
                    return wait
        return None

    def _compute(self, plan: Plan) -> None:
        """What is done with data, between what it waits for before it reads and what it gives back."""

    def _unread(self, plan: Plan) -> Wait | None:
        """What it waits for before it reads; takes the lanes of sums."""
        arrived, freed = self.came, self.freed
        if self.sending is not None and plan.guard >> self.sending.send.stream & 1:
            return Wait("send", self.sending.send.stream)
        if plan.restarts is not None:
            self._walk(plan.restarts).number = 0
        wait = self._window(plan) if plan.windows else None
        if wait is not None:
            return wait
        for stream, n in plan.needs:
            if arrived[stream] - freed[stream] < n:
                return Wait("blocks", stream, n - arrived[stream] + freed[stream])
        for stream, n in plan.rooms:
            missing = n - self.blocks[stream] + arrived[stream] - freed[stream]
            if missing > 0:
                return Wait("room", stream, missing)
        if plan.lanes is not None and not self._net.take_lanes(self.name, *plan.lanes):
            return Wait("sum", n=plan.lanes[0])
        return None

    def _window(self, plan: Plan) -> Wait | None:
        shortage = None
        for number in plan.windows:
            walk = self._walk(number)
            stream, freed, oldest = walk.stream, self.freed[walk.stream], walk.oldest[walk.number]
            need = walk.need[walk.number]
            count = walk.origin + need - freed if need else 0
            if oldest < walk.image and walk.origin + oldest < freed:
                raise TrapError(Cause.RING, stream)
            if count > self.blocks[stream]:
                self._net.too_short(self.name, stream, count)
            missing = count - self.came[stream] + freed
            if missing > 0 and shortage is None:
                shortage = Wait("blocks", stream, missing)
        return shortage

    def _give_back(self, walk: _Walk) -> Wait | None:
        stream, low = walk.stream, walk.origin + walk.low[walk.number + 1]
        count = min(self.came[stream], low) - self.freed[stream]
        if count > 0:
            self.freed[stream] += count
            self.moves += 1
            self._taken[stream] = self._taken.get(stream, 0) + count
        return Wait("blocks", stream, 1) if self.freed[stream] < low else None

    def _finish(self, plan: Plan, pc: int) -> None:
        self._begun = False
        for stream, n in plan.takes:
            self.freed[stream] += n
            self._taken[stream] = self._taken.get(stream, 0) + n
        for number, _ in plan.advances:
            walk = self._walk(number)
            walk.number += 1
            if walk.number == len(walk.need):
                walk.number, walk.origin = 0, walk.origin + walk.image
        for stream, n in plan.shows:
            self.came[stream] += n
        if plan.codes > 0:
            self.products.append(plan.codes)
        if plan.drains is not None:
            self.products.pop(0)
        if plan.send is not None:
            self.sending = _Sending(plan.send, pc, self.image)
        self._pc = self._following(plan, pc)
        if self._watch is not None:
            engine = INSTRUCTIONS[plan.op].engine if plan.op is not Op.SEND else Engine.SEQUENCER
            taken, shown = tuple(sorted(self._taken.items())), tuple(sorted(plan.shows))
            self._watch(Retired(engine, pc, plan.op, self.image, taken, shown, self.op_id, self.checksum))
        if plan.op is Op.IMAGE:
            self.done, self.image = self.done + 1, self.image + 1 & 0xFFFFFFFF
        self.halted = plan.op is Op.HALT

    def _following(self, plan: Plan, pc: int) -> int:
        if plan.loop is not None:
            return self._loops.open(pc, plan.loop[0], plan.times(self._registers))
        if plan.op is Op.SET:
            self._memory[plan.first : plan.first + plan.words] = self._words[pc + 1 : pc + 1 + plan.words]
            self.plans.clear()
            for number in DESCRIPTORS["walk"].written(plan.first, plan.words):
                self._origins[number] = self.freed[self.descriptor("walk", number)["stream"]]
                self._walks.pop(number, None)
        return self._loops.following(pc + plan.words)

    def _walk(self, number: int) -> _Walk:
        if number not in self._walks:
            self._walks[number] = _Walk(self.descriptor("walk", number), self._origins[number])
        return self._walks[number]

    def proceed_send(self) -> bool:
        """Send a block; False if the send engine waits or has nothing."""
        going = self.sending
        if going is None:
            return False
        send, offset = going.send, going.offset
        count = self.came[send.stream] - self.freed[send.stream]
        if count <= offset:
            self.sends = Wait("blocks", send.stream, offset + 1 - count)
            return False
        goes = (self._net.offer if send.reduce else self._net.send)(self.name, send.number)
        if not goes:
            self.sends = Wait("root" if send.reduce else "members", send.stream, send.number)
            return False
        self.sends = None
        if self._watch is not None:
            taken = ((send.stream, 1),) if send.free else ()
            self._watch(Retired(Engine.SEND, going.pc, Op.SEND, going.image, taken, checksum=self._sent_sum()))
        self.freed[send.stream] += send.free
        going.done += 1
        if going.done == send.blocks:
            self.sending = None
        return True

    def _sent_sum(self) -> int:
        """Sum of the bytes of the block that goes."""
        return 0
