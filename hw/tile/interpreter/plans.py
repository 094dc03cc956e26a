"""What an instruction does to tokens, found once for all times that it is carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTORS, PRODUCTS, Cause, Kind, Op, Operand, decode
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.rules import is_result, is_stream, is_walk

Pairs = tuple[tuple[int, int], ...]
ALL_STREAMS = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Send:
    """A SEND: its stream, flow or context, blocks, whether it frees and whether it is an operand."""

    stream: int
    number: int
    blocks: int
    free: bool
    reduce: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """An instruction without data."""

    op: Op
    trap: Cause = Cause.NONE
    about: int = 0
    """What it is; the cause for which it is refused when it is issued, and the stream concerned."""
    guard: int = 0
    """Streams, a bit each: while the send engine reads one of them, the instruction waits."""
    windows: tuple[int, ...] = ()
    """Walks whose window it reads."""
    needs: Pairs = ()
    rooms: Pairs = ()
    """Blocks that must be there, and places that must be free, by stream."""
    codes: int = 0
    """Codes of the product that it issues."""
    drains: int | None = None
    """Elements that it takes of the oldest product, none if it does not."""
    lanes: tuple[int, int] | None = None
    """Context and lanes of a sum that it takes."""
    takes: Pairs = ()
    shows: Pairs = ()
    """Blocks that it gives back and makes."""
    advances: Pairs = ()
    """Walks that go on, each with whether it frees."""
    restarts: int | None = None
    """Walk that returns to position 0."""
    send: Send | None = None
    """What it hands to the send engine."""
    loop: tuple[int, int | None] | None = None
    """Body, and how often: None for ever, negative for a host register."""
    first: int = 0
    words: int = 0
    """Words that follow it."""

    def misses_product(self, waiting: Sequence[int]) -> bool:
        """Whether its product is one too many, or it drains what is not there; codes of products that wait."""
        if self.codes and len(waiting) >= (PRODUCTS if self.codes > 0 else 1):
            return True
        oldest = waiting[0] if waiting else 0
        return self.drains is not None and not oldest - 1 <= self.drains <= oldest

    def times(self, registers: Sequence[int]) -> int | None:
        """How often the loop that it opens is run, None for ever."""
        times = self.loop[1] if self.loop is not None else None
        return registers[-times - 1] if times is not None and times < 0 else times


def plan_of(words: Sequence[int], pc: int, memory: Sequence[int], cfg: TileConfig) -> Plan:
    """The plan of the instruction at an address, with the descriptors as they are."""
    if pc >= len(words):
        return Plan(Op.HALT, Cause.END)
    op, fields, cause = decode(words[pc])
    if op is None:
        return Plan(Op.HALT, cause)
    trap, about = (cause, 0) if cause is not Cause.NONE else refusal(op, fields, memory, cfg)
    if op is Op.SET and pc + fields["words"] >= len(words) and (trap is Cause.NONE or trap > Cause.END):
        trap = Cause.END
    if trap is not Cause.NONE:
        return Plan(op, trap, about)
    return _PLANS.get(op, _other)(op, fields, memory, cfg)


def _other(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    return Plan(op)


def _loop(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    return Plan(op, loop=(f["body"], f["n"] or (-f["reg"] if f["reg"] else None)))


def _set(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    return Plan(op, guard=ALL_STREAMS, first=f["first"], words=f["words"])


def _counted(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    blocks = ((f["stream"], f["n"]),)
    match op:
        case Op.WAIT:
            return Plan(op, guard=ALL_STREAMS, needs=blocks)
        case Op.ROOM:
            return Plan(op, guard=ALL_STREAMS, rooms=blocks)
        case Op.FREE:
            return Plan(op, guard=ALL_STREAMS, needs=blocks, takes=blocks)
        case _:
            return Plan(op, guard=ALL_STREAMS, rooms=blocks, shows=blocks)


def _send(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    send = Send(f["stream"], f["flow"], f["n"], bool(f["free"]), bool(f["reduce"]))
    return Plan(op, guard=ALL_STREAMS, send=send)


def _mvm(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    walk, mvm = f["walk"], DESCRIPTORS["mvm"].values(memory, f["mvm"])
    return Plan(
        op, guard=1 << DESCRIPTORS["walk"].values(memory, walk)["stream"], windows=(walk,),
        codes=2 * (mvm["o_last"] - mvm["o_first"] + 1), advances=((walk, f["free"]),) if f["advance"] else (),
        restarts=walk if f["restart"] else None,
    )


def _vec(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    vec = DESCRIPTORS["vec"].values(memory, f["vec"])
    names = [n for n in ("a", "b") if vec[n] != Operand.NONE and not (n == "b" and vec["kind"] == Kind.TABLE)]
    streams = [(vec[n], f[f"free_{n}"]) for n in names if is_stream(vec[n])]
    walks = [(vec[n] - Operand.WALK, f[f"advance_{n}"], f[f"free_{n}"]) for n in names if is_walk(vec[n])]
    read = {s for s, _ in streams} | {DESCRIPTORS["walk"].values(memory, w)["stream"] for w, _, _ in walks}
    a, flit, target = vec["a"], cfg.flit_bytes, vec["target"]
    written = ((target, 1),) if is_stream(target) else ()
    return Plan(
        op, guard=sum(1 << s for s in read), windows=tuple(w for w, _, _ in walks),
        needs=tuple((s, 1) for s, _ in streams), rooms=written,
        drains=vec["elements"] if a == Operand.DRAIN else None,
        lanes=(a - Operand.RESULT, -(-2 * vec["elements"] // flit) * (flit // 2)) if is_result(a) else None,
        takes=tuple((s, 1) for s, free in streams if free), shows=written if f["push"] else (),
        advances=tuple((w, free) for w, on, free in walks if on),
    )


def _core(op: Op, f: Mapping[str, int], memory: Sequence[int], cfg: TileConfig) -> Plan:
    block = ((f["source"], 1),)
    return Plan(op, guard=ALL_STREAMS, needs=block, takes=block if f["free"] else (), codes=-1)


_PLANS = {
    Op.LOOP: _loop, Op.SET: _set, Op.WAIT: _counted, Op.ROOM: _counted, Op.FREE: _counted, Op.PUSH: _counted,
    Op.SEND: _send, Op.MVM: _mvm, Op.VEC: _vec, Op.CORE: _core,
}
