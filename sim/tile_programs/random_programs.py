"""Random programs of one tile: legal ones that end, and borderline ones.

A legal program is grown instruction by instruction and loop by loop: what the token machine carries out without a wait
for ever or a trap stays. A borderline one is a legal one of which some words were changed in a field or a bit, so that
most of them trap or wait. All have the surroundings of :func:`alone`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from mho.hw.core.layout import OpLayout
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction, slots_of
from mho.hw.tile.interpreter.state import Core
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import (
    DESCRIPTOR_WORDS,
    DESCRIPTORS,
    INSTRUCTIONS,
    Cause,
    Command,
    Format,
    Kind,
    Op,
    Operand,
    encode,
)
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.program import Program
from mho.hw.tile.isa.rules import is_stream, is_walk, width_of
from mho.hw.tile.isa.vector import pack_parameters

SIZES = TileConfig(lines=64, buffer_kib=4, parameters=64, instructions=128)
"""The tile of random programs."""

FLOWS = 16
"""Flows of a tile."""
BLOCKS = 400
"""Blocks that the host has for each remote stream."""
MOST = 4000
"""Instructions that a program carries out."""

Rng = np.random.Generator
Values = dict[str, int]


def alone(program: Program, core: Core | None = None, cfg: TileConfig = SIZES) -> Joined:
    """A tile called ``t`` whose flows all lead to the host, and that is all of each reduction."""
    return Joined(
        tiles={"t": Place(program=program, cfg=cfg, core=core)},
        flows=tuple(Flow(sender="t", number=k, to=(HOST,)) for k in range(FLOWS)),
        reductions=tuple(Reduction(context=k, members=("t",), root="t") for k in range(cfg.contexts)),
    )


def given_blocks(program: Program) -> dict[tuple[str, int], int]:
    """How many blocks the host has for each stream of the tile."""
    return {("t", k): BLOCKS for k in slots_of(Place(program=program, cfg=SIZES)).values()}


def legal_program(
    rng: Rng, length: int = 30, cfg: TileConfig = SIZES, without: Collection[Op] = ()
) -> Program:
    """A program of about ``length`` words that ends, without some instructions."""
    memory = [0] * DESCRIPTOR_WORDS
    draw = _Draw(rng, cfg, memory, without)
    for kind, count in (("stream", rng.integers(3, 8)), ("walk", rng.integers(1, 5)), ("mvm", rng.integers(1, 4)),
                        ("vec", rng.integers(3, 10))):
        for number in range(count):
            descriptor, values = DESCRIPTORS[kind], getattr(draw, kind)(number)
            memory[descriptor.at(number)] = descriptor.layout.pack(values)
        draw.counts[kind] = int(count)
    program = Program(
        descriptors=tuple(memory), registers=tuple(int(n) for n in rng.integers(0, 4, 3)),
        parameters=_parameters(rng, cfg.parameters), tables=rng.integers(-32768, 32768, (2, 1024)).astype(np.int16),
        buffer=rng.bytes(cfg.buffer_bytes), image=int(rng.integers(0, 2**32)),
        key=int(rng.integers(0, 2**63)) if cfg.draws else 0,
    )
    return _grown(program, draw, length)


def _grown(program: Program, draw: "_Draw", length: int) -> Program:
    """A program with code that the token machine carries out."""
    words: list[int] = []
    machine = TokenMachine(alone(program, cfg=draw.cfg), given_blocks(program))
    misses = 0
    while len(words) < length and misses < 60:
        block = draw.block(3)
        tried = _carried_out(machine, words, block)
        misses = misses + 1 if tried is None else 0
        if tried is not None:
            machine, words = tried, words + block
    return replace(program, words=(*words, encode(Op.HALT)))


def _carried_out(machine: TokenMachine, words: list[int], block: list[int]) -> TokenMachine | None:
    """The machine after some more words, None if it does not get there."""
    trial = machine.fork()
    tile = trial.tiles["t"]
    tile.extend(words + block)
    trial.run(limit=MOST)
    done = tile.halted and tile.at == len(words) + len(block) + 1 and tile.sending is None
    return trial if done and tile.fired < MOST else None


def borderline(rng: Rng, program: Program, changes: int = 2, cfg: TileConfig = SIZES) -> Program:
    """A program of which some words of code or descriptors were changed, left out or doubled."""
    words, memory = list(program.words), list(program.descriptors)
    for _ in range(changes):
        place, at = rng.integers(5), int(rng.integers(len(words)))
        if place == 0:
            words[at] ^= 1 << int(rng.integers(32))
        elif place == 1:
            words.insert(at, _edge_instruction(rng))
        elif place == 2:  # a word is left out or there twice
            words[at : at + 1] = [words[at]] * (2 * int(rng.integers(2)))
            words = words or [encode(Op.HALT)]
        else:
            kind = str(rng.choice(list(DESCRIPTORS)))
            descriptor = DESCRIPTORS[kind]
            used = [n for n in range(descriptor.count) if any(memory[descriptor.at(n)])] or [0]
            where = descriptor.at(used[rng.integers(len(used))])
            values = descriptor.layout.unpack(memory[where])
            field = descriptor.layout.fields[rng.integers(len(descriptor.layout.fields))]
            low, high = (-(1 << field.width - 1), (1 << field.width - 1) - 1) if field.signed else (
                0, (1 << field.width) - 1)
            values[field.name] = int(rng.choice([low, high, *field.range, int(rng.integers(low, high + 1))]))
            memory[where] = descriptor.layout.pack(values)
            if rng.random() < 0.1:
                memory[where.start + int(rng.integers(descriptor.layout.words))] ^= 1 << int(rng.integers(32))
    if rng.random() < 0.02:
        words, registers = _to_the_end(rng, words, cfg.instructions), (0, *program.registers[1:])
    else:
        registers = program.registers
    return replace(program, words=tuple(words[: cfg.instructions]), descriptors=tuple(memory), registers=registers)


def _to_the_end(rng: Rng, words: list[int], size: int) -> list[int]:
    """The program without its last word, and a loop of no times that leads to the last one of the memory."""
    rest = size - len(words)
    if rest < 2:
        return words
    last = encode(Op.IMAGE) if rng.random() < 0.5 else encode(Op.SET, first=40, words=int(rng.integers(1, 4)))
    return [*words[:-1], encode(Op.LOOP, body=rest - 1, reg=1), *[0] * (rest - 1), last]


def _edge_instruction(rng: Rng) -> int:
    op = Op(rng.integers(len(Op)))
    fields = INSTRUCTIONS[op].layout.fields
    return encode(op, **{f.name: int(rng.choice([0, 1, *f.range])) for f in fields})


def _parameters(rng: Rng, count: int) -> np.ndarray:
    return pack_parameters(
        rng.integers(-32768, 32768, count), rng.integers(-32768, 32768, count), rng.integers(-65536, 65536, count),
        rng.integers(0, 256, count) & rng.choice([1, 255], count), rng.integers(0, 2, count), rng.integers(0, 2, count))


@dataclass
class _Draw:
    """Draws descriptors and blocks of instructions."""

    rng: Rng
    cfg: TileConfig
    memory: list[int]
    without: Collection[Op] = ()

    def __post_init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._end = 0

    def _int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def _of(self, kind: str, number: int) -> Values:
        return DESCRIPTORS[kind].values(self.memory, number)

    def stream(self, number: int) -> Values:
        """A stream behind the one before."""
        block, blocks, base = 2 * self._int(1, 16), self._int(2, 16), self._end
        self._end += block * blocks + self._int(0, 3)
        remote = int(number == 0 or self.rng.random() < 0.2)
        first = self._int(0, blocks - 2) if remote else self._int(0, blocks)
        return {"base": base, "block": block, "slot": number, "blocks": blocks, "first": first * self._int(0, 1),
                "remote": remote}

    def walk(self, number: int) -> Values:
        """A walk over one of the streams."""
        stream = self._int(0, self.counts["stream"] - 1)
        block = self._of("stream", stream)["block"]
        channel = self._int(0, block // 2) if self.rng.random() < 0.3 else 0
        sides = {f"{name}_{side}": self._int(low, high) for side in "xy" for name, low, high in (
            ("kernel", 1, 3), ("dilation", 1, 2), ("stride", 1, 3), ("pad", 0, 2), ("positions", 1, 5))}
        return sides | {
            "stream": stream, "channel": channel, "run": self._int(1, block - channel),
            "repeat": 2 if self.rng.random() < 0.1 else 1, "tail": self._int(0, 3) * self._int(0, 1),
            "width": self._int(1, 6), "height": self._int(1, 6),
            # Behind all rings: what stands there is not written.
            "pad": self._int(min(self._end, last := self.cfg.buffer_bytes - 128), last),
        }

    def mvm(self, number: int) -> Values:
        """A product that takes all that the core can, or all but the first word."""
        first, words, last = self._int(0, self.cfg.output_words - 4), self.cfg.input_words, self.cfg.output_words - 1
        backward = self.rng.random() < 0.7
        segments = self.rng.random() < 0.2
        op = OpLayout().const({
            "backward": backward, "in_bits": self._int(6, 8) if segments else self._int(1, 4),
            "in_signed": self._int(0, 1), "out_bits": self._int(1, 8),
            "relu": self._int(0, 1) and not segments, "early_stop": self._int(0, 1),
            "wl_select": self._int(0, 7), "line_select": self._int(0, 7), "step_code": self._int(1, 2**16 - 1),
        }).as_bits()
        return {"operation": self._int(0, 2**32 - 1), "op": op & 0xFFFFFFFF, "op_high": op >> 32 & 63,
                "conversions": self._int(1, 9), "i_first": self._int(0, 1),
                "i_last": (words if backward else words // 2) - 1, "o_first": first, "o_last": self._int(first, last)}

    def vec(self, number: int) -> Values:
        """A legal vector operation."""
        while True:
            values = self._vec()
            trial = list(self.memory)
            trial[DESCRIPTORS["vec"].at(0)] = DESCRIPTORS["vec"].layout.pack(values)
            fields = {f.name: 0 for f in INSTRUCTIONS[Op.VEC].layout.fields}
            if refusal(Op.VEC, fields, trial, self.cfg)[0] is Cause.NONE:
                return values

    def _vec(self) -> Values:
        rng, streams = self.rng, self.counts["stream"]
        inner = [Operand.DRAIN, Operand.ACCUMULATORS, Operand.RESULT, Operand.RESULT + 1]
        walks = [Operand.WALK + k for k in range(self.counts["walk"])]
        a = int(rng.choice([self._int(0, streams - 1), *inner, *walks, Operand.DRAIN, Operand.NONE]))
        b = int(rng.choice([Operand.NONE, Operand.NONE, self._int(0, streams - 1), Operand.ACCUMULATORS, *walks]))
        target = int(rng.choice([Operand.ACCUMULATORS, *range(streams)]))
        wide, kind = self._int(0, 1), int(rng.choice([0, 0, 0, 1, 1, 2, 2, 3]))
        forms = [int(Format.LANE) if Operand.DRAIN <= operand < Operand.NONE else self._int(0, 2) for operand in (a, b)]
        rooms = [self._of("stream", s)["block"] // width for s, width in (
            (a, width_of(forms[0])), (target, 1 + wide)) if s < Operand.WALK]
        lo, hi = sorted((self._int(-32768, 32767), self._int(-32768, 32767)))
        if kind == Kind.TABLE:
            b, forms[1], (lo, hi) = self._int(0, 1), 0, sorted((self._int(0, 1023), self._int(0, 1023)))
        elements = self._int(1, max(1, min([*rooms, 16])))
        if a == Operand.DRAIN:
            mvm = self._of("mvm", self._int(0, self.counts["mvm"] - 1))
            elements = 2 * (mvm["o_last"] - mvm["o_first"] + 1) - self._int(0, 1)
        values = {
            "kind": kind, "a": a, "b": b, "target": target, "a_format": forms[0], "b_format": forms[1], "wide": wide,
            "add": self._int(0, 1) if kind in (Kind.AFFINE, Kind.TABLE) else 0, "shift": self._int(0, 31),
            "elements": elements, "parameters": self._int(0, 30), "period": self._int(1, 16), "lo": lo, "hi": hi,
            "a_offset": self._int(0, 2) * (a not in inner or a == Operand.ACCUMULATORS), "b_offset": 0,
            "target_offset": self._int(0, 2) * self._int(0, 1),
        }
        if self.cfg.draws and rng.random() < 0.4:
            name = "a" if kind == Kind.TABLE else str(rng.choice(["a", "b"]))
            values |= {name: int(Operand.DRAW), f"{name}_format": self._int(0, 2), f"{name}_offset": 0}
        return values

    def _flags(self, fields: Values) -> None:
        """Only flags that the sources and the target of a vector operation have, mostly."""
        vec = self._of("vec", fields["vec"])
        if self.rng.random() < 0.02:
            return
        for name in "ab":
            stream, walk = is_stream(vec[name]), is_walk(vec[name])
            if name == "b" and vec["kind"] == Kind.TABLE:
                stream = walk = False
            fields[f"advance_{name}"] &= walk
            fields[f"free_{name}"] &= stream or fields[f"advance_{name}"]
        fields["push"] &= is_stream(vec["target"])

    def block(self, depth: int) -> list[int]:
        """An instruction, or a loop of some."""
        if depth and self.rng.random() < 0.25:
            body = [w for _ in range(self._int(1, 4)) for w in self.block(depth - 1)]
            n = self._int(0, 4)
            return [encode(Op.LOOP, body=len(body), n=n, reg=0 if n else self._int(1, 3)), *body]
        return self._instruction()

    def _instruction(self) -> list[int]:
        weights = {Op.MVM: 24, Op.VEC: 48, Op.SEND: 4, Op.WAIT: 1, Op.ROOM: 1, Op.FREE: 3, Op.PUSH: 4, Op.IMAGE: 1,
                   Op.SET: 1, Op.CORE: 3}
        weights = {op: share for op, share in weights.items() if op not in self.without}
        share = np.array(list(weights.values())) / sum(weights.values())
        op = list(weights)[self.rng.choice(len(share), p=share)]
        fields = {f.name: self._int(0, (1 << f.width) - 1) if f.width == 1 else 0
                  for f in INSTRUCTIONS[op].layout.fields}
        if op is Op.MVM:
            fields["free"] &= fields["advance"]
        for name in ("stream", "source", "target"):
            if name in fields:
                fields[name] = self._int(0, self.counts["stream"] - 1)
        for name in ("mvm", "walk", "vec"):
            if name in fields:
                fields[name] = self._int(0, self.counts[name] - 1)
        fields |= {"n": self._int(1, 3)} if "n" in fields else {}
        if op is Op.VEC:
            self._flags(fields)
        if op is Op.SEND:
            fields["flow"] = self._int(0, 1) if fields["reduce"] else self._int(0, 14)
        if op is Op.CORE:
            whole = [k for k in range(self.counts["stream"]) if self._of("stream", k)["block"] % 8 == 0]
            if not whole:
                return self._instruction()
            fields |= {"command": int(Command.MASKS), "source": int(self.rng.choice(whole))}
        if op is Op.SET:
            kind = str(self.rng.choice(["walk", "mvm", "vec"]))
            number = self._int(0, self.counts[kind] - 1)
            words = DESCRIPTORS[kind].layout.pack(getattr(self, kind)(number))
            return [encode(op, first=DESCRIPTORS[kind].at(number).start, words=len(words)), *words]
        return [encode(op, **fields)]
