"""Instructions of a program that would trap, in sentences."""

from collections.abc import Iterator, Sequence

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa.legality import broken
from mho.hw.tile.isa.program import LIMITS, Program


def would_trap(program: Program, name: str, lines: Sequence[int] = (), cfg: TileConfig = LIMITS) -> Iterator[str]:
    """What is wrong with instructions, with the descriptors as they are at the start.

    Parameters
    ----------
    name
        File of the program, for the sentences.
    lines
        Line of the text that each word comes from; without them instructions are named by their addresses.
    cfg
        The tile; the largest memories by default.
    """
    for at, op, fields, cause in program.instructions():
        called = "" if op is None else f" ({op.name.lower()})"
        where = f"{name}:{lines[at]}: instruction {at}{called}" if lines else f"{name}: instruction {at}{called}"
        if op is None or cause:
            yield f"{where} would trap ({cause.name.lower()})"
        if op is not None:
            for why, _, rule in broken(op, fields, program.descriptors, cfg):
                yield f"{where} would trap ({why.name.lower()}): it must be that {rule}"
