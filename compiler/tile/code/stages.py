"""The instructions of a stage: its vector operations with the streams that they read and write."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.compiler.tile.code.ir import vec
from mho.compiler.tile.code.writer import Body, Writer
from mho.compiler.tile.lowering.vectors import OUT, StepOperand, Taken, Temporary, VectorStep
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
            if operand is None:
                continue
            if isinstance(operand, Taken):
                source = sources[operand.number]
                operands |= {name: source.stream, f"{name}_format": source.format}
                if not source.stays:
                    body.reads(source.stream, f"free_{name}", source.value)
            elif isinstance(operand, Temporary):
                ring = writer.temporary(k, operand.number, 2 * step.elements)
                operands |= {name: ring, f"{name}_format": Format.LANE}
                flags += [] if _read_again(steps[n + 1 :], operand) else [f"free_{name}"]
            else:
                operands[name] = Operand.ACCUMULATORS
            operands |= {f"{name}_offset": offset} if offset else {}
        if isinstance(step.target, Temporary):
            where, flags = writer.temporary(k, step.target.number, 2 * step.elements), [*flags, "push"]
        elif step.target is OUT:
            where, flags = target, flags + (["push"] if n == last else [])
        else:
            where = Operand.ACCUMULATORS
        operands |= {"target_offset": step.target_offset} if step.target_offset else {}
        name = writer.vec(step.vector, step.elements, where, wide=wide or isinstance(step.target, Temporary),
                          **operands)
        body.add(vec(name, *flags))


def _read_again(steps: Sequence[VectorStep], operand: StepOperand) -> bool:
    """Whether what an operand holds is read before it is made anew."""
    for step in steps:
        if operand in (step.a, step.b):
            return True
        if step.target == operand:
            return False
    return False
