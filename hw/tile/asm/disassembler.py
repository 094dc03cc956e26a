"""From a program to text that gives the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from mho.hw.tile.asm.assembler import ALWAYS, OPERANDS, core_fields, plain, unpack_core
from mho.hw.tile.isa import DESCRIPTORS, LOOP_DEPTH, PARAMETER, Cause, Command, Kind, Op, Operand, decode
from mho.hw.tile.isa.program import Program

_LETTERS = {"stream": "s", "walk": "w", "mvm": "m", "vec": "v"}
_OPERANDS = {int(value): name for name, value in OPERANDS.items()}
_ACROSS = 16


def disassemble(program: Program, streams: Mapping[int, str] = MappingProxyType({})) -> str:
    """The text of a program; names are the numbers of descriptors with a letter, as ``s3``, or those of ``streams``.

    What is legal in itself is written with names, the rest as words.
    """
    lines = list(_head(program))
    for kind in DESCRIPTORS:
        lines += _descriptors(program, kind, streams)
    lines += _memories(program)
    numbers = {kind: [n for n in range(descriptor.count) if _readable(program, kind, n)]
               for kind, descriptor in DESCRIPTORS.items()}
    lines += ["", *_Code(program.words, numbers, streams).lines()]
    return "\n".join(lines) + "\n"


def _head(program: Program) -> Iterator[str]:
    if program.image:
        yield f"first_image: {program.image}"
    if program.key:
        yield f"draw_key: {program.key:#x}"
    for number, value in enumerate(program.registers, 1):
        if value:
            yield f"register {number}: {value}"


def _readable(program: Program, kind: str, number: int) -> bool:
    """Whether a descriptor can be written by names: it is there, and all of its fields are legal."""
    layout, words = DESCRIPTORS[kind].layout, program.descriptors[DESCRIPTORS[kind].at(number)]
    return any(words) and not layout.spare(words) and layout.illegal(layout.unpack(words)) is None


def _label(kind: str, number: int, streams: Mapping[int, str]) -> str:
    return streams[number] if kind == "stream" and number in streams else f"{_LETTERS[kind]}{number}"


def _descriptors(program: Program, kind: str, streams: Mapping[int, str]) -> Iterator[str]:
    descriptor = DESCRIPTORS[kind]
    for number in range(descriptor.count):
        words = program.descriptors[descriptor.at(number)]
        if _readable(program, kind, number):
            text = ", ".join(_items(kind, descriptor.layout.unpack(words), streams))
            yield f"{kind} {_label(kind, number, streams)} @{number}: {text}"
        elif any(words):
            yield f"raw {kind} @{number}: {' '.join(f'{word:#x}' for word in words)}"


def _items(kind: str, values: dict[str, int], streams: Mapping[int, str]) -> Iterator[str]:
    core = unpack_core(values) if kind == "mvm" else None
    for field in DESCRIPTORS[kind].layout.fields:
        value = values[field.name]
        if core is not None and field.name in ("op", "op_high"):
            continue
        if value == plain(kind, field.name) and field.name not in ALWAYS[kind]:
            continue
        if field.width == 1:
            yield field.name
        elif field.names is Operand:
            table = field.name == "b" and values["kind"] == Kind.TABLE
            yield f"{field.name} {value if table else streams.get(value) or _OPERANDS.get(value, value)}"
        elif field.names is None:
            yield f"{field.name} {streams.get(value, value) if field.name == 'stream' else value}"
        else:
            names = {int(member): member.name.lower() for member in field.names}
            yield f"{field.name} {names.get(value, value)}"
    for name, value in (core or {}).items():
        if value:
            yield name if core_fields()[name][1] == 1 else f"{name} {value}"


def _memories(program: Program) -> Iterator[str]:
    if len(program.parameters):
        yield "parameters all @0 {"
        for value in program.parameters.tolist():
            words = value & 0xFFFFFFFF, value >> 32
            fields = {name: v for name, v in PARAMETER.unpack(words).items() if v}
            yield "    " + (", ".join(
                name if PARAMETER[name].width == 1 else f"{name} {v}" for name, v in fields.items()) or "m 0")
        yield "}"
    for number, table in enumerate(program.tables):
        if table.any():
            yield from _numbers(f"table {number}", table.tolist())
    if program.buffer:
        yield from _numbers("bytes all @0", list(program.buffer))


def _numbers(head: str, values: Sequence[int]) -> Iterator[str]:
    yield f"{head} {{"
    for row in range(0, len(values), _ACROSS):
        yield "    " + " ".join(map(str, values[row : row + _ACROSS]))
    yield "}"


class _Code:
    """Instructions as text; ``known`` are the descriptors that have names, those of ``streams`` their own."""

    def __init__(self, words: Sequence[int], numbers: dict[str, list[int]], streams: Mapping[int, str]) -> None:
        self.words, self.known, self.streams = words, numbers, streams

    def lines(self) -> list[str]:
        lines: list[str] = []
        ends: list[int] = []
        at = 0
        while at < len(self.words):
            text, size = self._text(at, ends)
            lines.append("    " * len(ends) + text)
            if text.endswith("{"):
                ends.append(at + decode(self.words[at])[1]["body"])
            at += size
            while ends and ends[-1] == at - 1:
                ends.pop()
                lines.append("    " * len(ends) + "}")
        return lines

    def _text(self, at: int, ends: list[int]) -> tuple[str, int]:
        """The text of an instruction and its words; as a word where names cannot say it."""
        word = self.words[at]
        op, fields, cause = decode(word)
        if op is None or cause is not Cause.NONE:
            return f"word {word:#x}", 1
        if op is Op.LOOP:
            return (self._loop(fields) if self._closes(at, fields, ends) else f"word {word:#x}"), 1
        if op is Op.SET:
            size, last = fields["words"], ends[-1] if ends else len(self.words) - 1
            if size and at + size <= last:
                words = " ".join(f"{w:#x}" for w in self.words[at + 1 : at + 1 + size])
                return f"set {fields['first']}: {words}", size + 1
            return f"word {word:#x}", 1
        return self._plain(op, fields) or f"word {word:#x}", 1

    def _closes(self, at: int, fields: dict[str, int], ends: list[int]) -> bool:
        """Whether a loop can be written with braces: its body is there, and whole."""
        if fields["body"] < 1 or (fields["n"] and fields["reg"]) or len(ends) == LOOP_DEPTH:
            return False
        return at + fields["body"] <= (ends[-1] if ends else len(self.words) - 1)

    @staticmethod
    def _loop(fields: dict[str, int]) -> str:
        if fields["n"]:
            return f"loop {fields['n']} {{"
        return f"loop register {fields['reg']} {{" if fields["reg"] else "loop forever {"

    def _plain(self, op: Op, fields: dict[str, int]) -> str | None:
        def named(kind: str, number: int) -> str:
            return _label(kind, number, self.streams)

        used = {"stream": "stream", "source": "stream", "mvm": "mvm", "walk": "walk", "vec": "vec"}
        if any(used[name] in used.values() and value not in self.known[used[name]]
               for name, value in fields.items() if name in used):
            return None
        flags = [name for name, value in fields.items() if value and name in _FLAGS]
        text = None
        match op:
            case Op.HALT | Op.IMAGE:
                text = op.name.lower()
            case Op.WAIT | Op.ROOM | Op.FREE | Op.PUSH if fields["n"]:
                text = f"{op.name.lower()} {named('stream', fields['stream'])} {fields['n']}"
            case Op.MVM:
                text = ", ".join([f"mvm {named('mvm', fields['mvm'])}", named("walk", fields["walk"]), *flags])
            case Op.VEC:
                text = ", ".join([f"vec {named('vec', fields['vec'])}", *flags])
            case Op.SEND if fields["n"]:
                where = "context" if fields["reduce"] else "flow"
                text = f"send {named('stream', fields['stream'])}, {where} {fields['flow']}, blocks {fields['n']}" + (
                    ", free" if fields["free"] else "")
            case Op.CORE if fields["command"] in list(Command):
                command = Command(fields["command"]).name.lower()
                text = f"core {command} " + ", ".join([named("stream", fields["source"]), *flags])
        return text


_FLAGS = ("advance", "free", "restart", "ahead", "advance_a", "advance_b", "free_a", "free_b", "push")
