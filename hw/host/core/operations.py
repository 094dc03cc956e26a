"""What a host does to have a core carry out an operation, as accesses to its registers and windows."""

from collections.abc import Sequence

from mho.hw.core.layout import OpLayout
from mho.hw.host.link.tasks import Poll, Read, Task, Write
from mho.hw.host.registers import RegisterMap, register_word

_WORD = 0xFFFFFFFF


def operation_tasks(map: RegisterMap, base: int, descriptor: int, words: Sequence[int], outputs: int) -> list[Task]:
    """Accesses by which an operation is carried out.

    Two of them read: a word of ``status`` at the end (:func:`check_ended`), and ``outputs`` words of the result.

    Parameters
    ----------
    map, base
        Registers of the core, and where they begin.
    descriptor
        An :class:`mho.hw.core.layout.OpLayout`, whose bits but for step code and number are those of ``operation``.
    words
        What the operation takes.
    """
    layout = OpLayout()
    fields = layout.from_bits(descriptor)
    placed = {name: fields[name] for name in layout.operation}
    number = fields["op_id"]
    ends = {"done": 1, "error": 1, "overrun": 1}

    def at(name: str) -> int:
        return base + map[name].address

    return [
        *([Write(at("input"), list(words))] if len(words) else []),
        Write(at("operation"), [
            register_word(map, "operation", **placed), fields["step_code"], number & _WORD, number >> 32,
        ]),
        Write(at("control"), register_word(map, "control", start=1)),
        Poll(at("status"), register_word(map, "status", **ends)),
        Read(at("output"), outputs),
        Write(at("status"), register_word(map, "status", **ends)),
    ]


def check_ended(map: RegisterMap, status: int) -> str:
    """What went wrong with an operation whose ``status`` this was; empty if nothing did."""
    for name, why in (("overrun", "was asked for an operation while it could take none"),
                      ("error", "was asked for an operation that is not legal")):
        if status & register_word(map, "status", **{name: 1}):
            return why
    return ""
