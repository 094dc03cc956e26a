"""The interpreter of one tile: what its program does, in order, with data."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.actions import Actions, Core, Fields
from mho.hw.tile.interpreter.loops import LoopStack
from mho.hw.tile.interpreter.plans import Plan, plan_of
from mho.hw.tile.interpreter.state import Retired, Status, TrapError, Wait
from mho.hw.tile.interpreter.store import Store
from mho.hw.tile.isa import INSTRUCTIONS, STATUS, STREAMS, Cause, Engine, Op, decode
from mho.hw.tile.isa.program import Program

__all__ = ["Surroundings", "TileMachine"]


class Surroundings(Protocol):
    """What is around a tile."""

    def send(self, tile: "TileMachine", flow: int, block: bytes) -> bool:
        """Gives a block to all members of a flow, False if one has no room."""
        ...

    def offer(self, tile: "TileMachine", context: int, block: bytes) -> bool:
        """Offers an operand of a reduction; whether it was taken since it was first offered."""
        ...

    def lanes(self, tile: "TileMachine", context: int, count: int) -> NDArray[np.integer] | None:
        """The next ``count`` lanes of the sums of a context, None while operands are missing."""
        ...


class TileMachine:
    """One tile.

    Parameters
    ----------
    cfg, program
        Its sizes and what the host loaded.
    core, around
        Its core and its surroundings.
    name
        For messages.
    images
        Images after which the host's stop is obeyed, None for none.
    watch
        Is told each instruction that retires.

    Attributes
    ----------
    status
        Why it stopped, None while it has not trapped.
    ended
        It halted, by HALT or since the host asked; or it trapped.
    waits, sends
        What the sequencer and the send engine wait for, None while they do not.
    sent
        Blocks that the send engine sent.
    """

    def __init__(
        self, cfg: TileConfig, program: Program, core: Core | None, around: Surroundings, *, name: str = "tile",
        images: int | None = None, watch: Callable[[Retired], None] | None = None,
    ) -> None:
        program.check(cfg, name)
        self.cfg, self.program, self.around, self.name = cfg, program, around, name
        self.watch, self.images = watch, images
        self.words = [*program.words, *[0] * (cfg.instructions - len(program.words))]
        self.store = Store(cfg, program)
        self.actions = Actions(
            cfg, program, self.store, core, lambda context, count: around.lanes(self, context, count))
        self.done = 0
        self.status: Status | None = None
        self.reason = ""
        self.ended = False
        self.waits: Wait | None = None
        self.sends: Wait | None = None
        self.sent = 0
        self._loops = LoopStack(cfg.instructions)
        self._pc = self._at = 0
        self._active: Iterator[Wait] | None = None
        self._plans: dict[int, Plan] = {}
        self._sending: tuple[Iterator[Wait], int] | None = None

    # --- what drives it ---

    def proceed(self) -> bool:
        """Carry out an instruction, or what is left of it; False if it waits or has ended."""
        if self.ended:
            return False
        pc = self._at = self._pc
        try:
            if self._active is None:
                self._active = self._begin(pc)
            self.waits = next(self._active, None)
            if self.waits is not None:
                return False
            self._active = None
            plan = self._plans[pc]
            self._pc = self._follow(pc, plan)
        except TrapError as trap:
            self.reason = str(trap.__cause__ or "")
            self._stop(pc, trap.cause, trap.stream)
            return False
        op = plan.op
        self._tell(INSTRUCTIONS[op].engine if op is not Op.SEND else Engine.SEQUENCER, pc, op)
        if op is Op.SET:
            self._plans.clear()
        if op is Op.IMAGE:
            self.actions.image, self.done = self.image + 1 & 0xFFFFFFFF, self.done + 1
        self.ended = op is Op.HALT or (op is Op.IMAGE and self.done == self.images)
        return True

    def proceed_send(self) -> bool:
        """Let the send engine send what it can; False if it waits or has nothing."""
        if self._sending is None:
            return False
        before = self.sent
        self.sends = next(self._sending[0], None)
        if self.sends is None:
            self._sending = None
        return self.sends is None or self.sent > before

    @property
    def image(self) -> int:
        """Number of the image that it works on."""
        return self.actions.image

    @property
    def idle(self) -> bool:
        """Whether the send engine has nothing."""
        return self._sending is None

    @property
    def tokens(self) -> list[int]:
        """Blocks that are in each stream."""
        return [self.store.there(k) for k in range(STREAMS)]

    def expire(self) -> None:
        """The watchdog: a tile that waits stops, one too whose program has ended and whose send engine waits.

        In hardware, where engines have several instructions in hand, the program may be further on.
        """
        if self.status is None and (self.waits is not None or self.sends is not None):
            self.status = Status(Cause.WATCHDOG, Engine.SEQUENCER, self._at, 0, self.image)
            self.ended, self.waits, self._active = True, None, None

    # --- the sequencer ---

    def _begin(self, pc: int) -> Iterator[Wait]:
        if pc not in self._plans:
            self._plans[pc] = plan_of(self.words, pc, self.store.memory, self.cfg)
        plan = self._plans[pc]
        if plan.trap is not Cause.NONE:
            raise TrapError(plan.trap, plan.about)
        if plan.misses_product([len(codes) for codes in self.actions.products]):
            raise TrapError(Cause.PRODUCT)
        return self._run(plan, decode(self.words[pc])[1])

    def _run(self, plan: Plan, fields: Fields) -> Iterator[Wait]:
        # The send engine reads its stream: what else reads it comes behind that.
        while self._sending is not None and (plan.op is Op.SEND or plan.guard >> self._sending[1] & 1):
            yield Wait("send", self._sending[1])
        if plan.op is Op.SEND:
            self._sending = self._blocks(fields, self._pc, self.image), fields["stream"]
        yield from self.actions.run(plan.op, fields, self.words[self._pc + 1 : self._pc + 1 + plan.words])

    def _follow(self, pc: int, plan: Plan) -> int:
        if plan.loop is not None:
            return self._loops.open(pc, plan.loop[0], plan.times(self.program.registers))
        return self._loops.following(pc + plan.words)

    def _stop(self, pc: int, cause: Cause, stream: int) -> None:
        op = decode(self.words[pc])[0] if pc < len(self.words) else None
        engine = INSTRUCTIONS[op].engine if op is not None and self._active is not None else Engine.SEQUENCER
        # The address after the last word of the largest memory has no place in the status, and reads as that word.
        self.status = Status(cause, engine, min(pc, STATUS["pc"].range[1]), stream, self.image)
        self.ended, self.waits, self._active = True, None, None

    def _tell(self, engine: Engine, pc: int, op: Op) -> None:
        if self.watch is not None:
            freed, shown = (tuple(sorted(d.items())) for d in (self.store.taken, self.store.shown))
            self.watch(Retired(engine, pc, op, self.image, freed, shown, self.actions.op_id, self.actions.checksum))

    # --- the send engine ---

    def _blocks(self, fields: Fields, pc: int, image: int) -> Iterator[Wait]:
        stream, number = fields["stream"], fields["flow"]
        for k in range(fields["n"]):
            offset = 0 if fields["free"] else k
            while self.store.there(stream) <= offset:
                yield Wait("blocks", stream, offset + 1 - self.store.there(stream))
            block = self.store.block(stream, offset)
            give, why = (self.around.offer, "root") if fields["reduce"] else (self.around.send, "members")
            while not give(self, number, block):
                yield Wait(why, stream, number)
            self.sent += 1
            if fields["free"]:
                self.store.rings[stream].freed += 1
            if self.watch is not None:
                freed = ((stream, 1),) if fields["free"] else ()
                checksum = sum(block) & 0xFFFFFFFF
                self.watch(Retired(Engine.SEND, pc, Op.SEND, image, freed, (), 0, checksum))
