"""The instructions of a stage: its vector operations with the streams that they read and write."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.compiler.tile.code.ir import vec
from mho.compiler.tile.code.writer import Body, Writer
from mho.compiler.tile.lowering.vectors import OUT, SUMS, VectorStep
from mho.hw.tile.isa import Format, Operand

__all__ = ["Source", "stage_code"]


@dataclass(frozen=True)
class Source:
    """The stream of a value, how its bytes are read, and whether its block stays for other positions."""

    value: int
    stream: str
    format: Format
    stays: bool = False


def stage_code(
    writer: Writer, k: int, steps: Sequence[VectorStep], sources: Sequence[Source], target: str, wide: bool, body: Body
) -> None:
    """The steps of a stage of node ``k`` into ``target``, which is shown behind the last of them."""
    last = max(n for n, step in enumerate(steps) if step.target == OUT)
    for n, step in enumerate(steps):
        operands: dict[str, int | str] = {"a": Operand.NONE}
        flags: list[str] = []
        for name, operand, offset in (("a", step.a, step.a_offset), ("b", step.b, step.b_offset)):
            if not operand:
                continue
            if operand == SUMS:
                operands[name] = Operand.ACCUMULATORS
            elif operand.startswith("in"):
                source = sources[int(operand[2:])]
                operands |= {name: source.stream, f"{name}_format": source.format}
                if not source.stays:
                    body.reads(source.stream, f"free_{name}", source.value)
            else:
                ring = writer.temporary(k, int(operand[1:]), 2 * step.elements)
                operands |= {name: ring, f"{name}_format": Format.LANE}
                flags += [] if _read_again(steps[n + 1 :], operand) else [f"free_{name}"]
            operands |= {f"{name}_offset": offset} if offset else {}
        if step.target == OUT:
            where, flags = target, flags + (["push"] if n == last else [])
        elif step.target == SUMS:
            where = Operand.ACCUMULATORS
        else:
            where, flags = writer.temporary(k, int(step.target[1:]), 2 * step.elements), [*flags, "push"]
        operands |= {"target_offset": step.target_offset} if step.target_offset else {}
        name = writer.vec(step.vector, step.elements, where, wide=wide or step.target not in (OUT, SUMS), **operands)
        body.add(vec(name, *flags))


def _read_again(steps: Sequence[VectorStep], operand: str) -> bool:
    """Whether what an operand holds is read before it is made anew."""
    for step in steps:
        if operand in (step.a, step.b):
            return True
        if step.target == operand:
            return False
    return False
