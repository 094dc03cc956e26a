"""A case that fails, made small: fewer instructions, while it still fails."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from mho.hw.tile.asm import disassemble
from mho.hw.tile.isa import Op, decode, encode
from mho.hw.tile.isa.program import Program
from mho.sim.tile_programs.cases import Case

__all__ = ["litmus", "shrunk"]


def shrunk(case: Case, fails: Callable[[Case], bool], tries: int = 300) -> Case:
    """The case with as little as still fails; ``tries`` is how often that is tried."""
    left = tries
    while left > 0:
        for smaller in _smaller(case):
            left -= 1
            if left < 0:
                break
            if fails(smaller):
                case = smaller
                break
        else:
            break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with fewer instructions, the smallest first."""
    program = case.program
    starts = _starts(program)
    size = len(starts)
    while size:
        size //= 2
        for k in range(0, len(starts), max(size, 1)):
            gone = starts[k : k + max(size, 1)]
            yield case.with_program(replace(program, words=_without(program, gone)))


def _starts(program: Program) -> list[int]:
    """Addresses of instructions, without the words of SET and the last HALT."""
    starts, at = [], 0
    while at < len(program.words):
        op, fields, _ = decode(program.words[at])
        starts.append(at)
        at += 1 + (fields["words"] if op is Op.SET else 0)
    return starts[:-1]


def _without(program: Program, gone: list[int]) -> tuple[int, ...]:
    """The words without some instructions; bodies of loops that they were in are as much shorter."""
    words, dead = list(program.words), set()
    for at in gone:
        op, fields, _ = decode(words[at])
        dead |= set(range(at, at + 1 + (fields["words"] if op is Op.SET else 0)))
    for at in _starts(program):
        op, fields, _ = decode(words[at])
        if op is Op.LOOP and at not in dead:
            body = fields["body"] - len(dead & set(range(at + 1, at + 1 + fields["body"])))
            if body < 1:
                dead.add(at)
            else:
                words[at] = encode(op, **fields | {"body": body})
    return tuple(word for at, word in enumerate(words) if at not in dead)


def litmus(case: Case, why: str) -> str:
    """A text of the program, with what it needs to be run again."""
    blocks_text = ", ".join(f"{len(blocks)} for stream {stream}" for stream, blocks in case.given.items())
    head = [f"; {why}", f"; seed {case.seed}, stall {case.stall}, delay {case.delay}, eager {int(case.eager)}",
            f"; blocks of the host: {blocks_text or 'none'}"]
    return "\n".join([*head, disassemble(case.program)])
