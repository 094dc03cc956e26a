"""Instructions in text: what each line becomes, and how loops nest."""

from collections.abc import Callable, Mapping
from itertools import pairwise

from mho.hw.tile.asm.reader import Source, Statement
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, LOOP_DEPTH, Command, Op, encode

Numbers = Mapping[str, Mapping[str, int]]
_PLAIN = {"halt": Op.HALT, "image": Op.IMAGE}
_COUNTED = {"wait": Op.WAIT, "room": Op.ROOM, "free": Op.FREE, "push": Op.PUSH}


class Instructions:
    """Words of the instructions of a text.

    Parameters
    ----------
    numbers
        Descriptors by kind and name.
    values
        Fields of a descriptor from (kind, line, items).

    Attributes
    ----------
    words, lines
        What the text becomes, and the line that each word comes from.
    """

    def __init__(
        self, source: Source, numbers: Numbers, values: Callable[[str, int, str], dict[str, int]]
    ) -> None:
        self.source, self.numbers, self._values = source, numbers, values
        self.words: list[int] = []
        self.lines: list[int] = []
        self._loops: list[tuple[int, int, dict[str, int]]] = []

    def run(self, statements: list[Statement]) -> list[int]:
        """The words of all statements."""
        for statement in statements:
            self._add(statement)
            self.lines += [statement.line] * (len(self.words) - len(self.lines))
        if self._loops:
            self.source.fail(self._loops[-1][0], "this loop is not closed: '}' is missing")
        return self.words

    def _add(self, s: Statement) -> None:
        if s.key in _PLAIN:
            if s.rest:
                self.source.fail(s.line, f"{s.key} stands alone, not with {s.rest!r}")
            self.words.append(encode(_PLAIN[s.key]))
        elif s.key in _COUNTED:
            self._counted(s)
        elif s.key == "word":
            self.words.append(self._number(s.line, s.rest, "a word", 0, 2**32 - 1))
        else:
            actions = {"loop": self._loop, "}": self._close, "set": self._set, "mvm": self._mvm, "vec": self._vec,
                       "send": self._send, "core": self._core}
            if s.key not in actions:
                self.source.unknown(s.line, "instruction", s.key, [*_PLAIN, *_COUNTED, *actions])
            actions[s.key](s)

    def _counted(self, s: Statement) -> None:
        name, *count = s.rest.split(maxsplit=1) or [""]
        n = self._number(s.line, count[0], "the number of blocks", 1, 255) if count else 1
        self.words.append(encode(_COUNTED[s.key], stream=self._named(s.line, "stream", name), n=n))

    def _loop(self, s: Statement) -> None:
        words = s.rest.split()
        if words[-1:] != ["{"] or len(words) not in (2, 3):
            self.source.fail(s.line, "a loop is 'loop 3 {', 'loop register 1 {' or 'loop forever {'")
        if len(self._loops) == LOOP_DEPTH:
            self.source.fail(s.line, f"loops nest {LOOP_DEPTH} deep at most")
        fields = {"n": 0, "reg": 0}
        if words[0] == "register" and len(words) == 3:
            fields["reg"] = self._number(s.line, words[1], "the number of a register", 1, 3)
        elif words[0] != "forever" or len(words) != 2:
            fields["n"] = self._number(s.line, words[0], "how often a loop runs", 1, 2**16 - 1)
        self._loops.append((s.line, len(self.words), fields))
        self.words.append(0)

    def _close(self, s: Statement) -> None:
        if not self._loops:
            self.source.fail(s.line, "there is no loop that '}' could close")
        line, at, fields = self._loops.pop()
        body = len(self.words) - at - 1
        if not 1 <= body <= INSTRUCTIONS[Op.LOOP].layout["body"].range[1]:
            self.source.fail(line, f"the body of a loop has 1 to 511 words, not {body}")
        self.words[at] = encode(Op.LOOP, body=body, **fields)

    def _set(self, s: Statement) -> None:
        """``set KIND NAME: items``, a whole descriptor anew, or ``set 96: words``."""
        if s.declares:
            words = [self._number(s.line, w, "a word", 0, 2**32 - 1) for w in s.rest.split()]
            first = self._number(s.line, s.name or "?", "the first word", 0, 255)
            if not 1 <= len(words) <= 31:
                self.source.fail(s.line, f"set has 1 to 31 words, not {len(words)}")
            self.words += [encode(Op.SET, first=first, words=len(words)), *words]
            return
        kind, rest = [*s.rest.split(maxsplit=1), "", ""][:2]
        name, colon, rest = rest.partition(":")
        if not colon:
            self.source.fail(s.line, "it is 'set vec NAME: fields' or 'set FIRST: WORD WORD ...'")
        if kind not in ("walk", "mvm", "vec"):
            self.source.unknown(s.line, "descriptor for set", kind, ["walk", "mvm", "vec"])
        number = self._named(s.line, kind, name.strip())
        descriptor = DESCRIPTORS[kind]
        words = descriptor.layout.pack(self._values(kind, s.line, rest))
        self.words += [encode(Op.SET, first=descriptor.at(number).start, words=len(words)), *words]

    def _mvm(self, s: Statement) -> None:
        (product, walk), flags = self._split(s, 2, Op.MVM)
        self.words.append(encode(
            Op.MVM, mvm=self._named(s.line, "mvm", product), walk=self._named(s.line, "walk", walk), **flags))

    def _vec(self, s: Statement) -> None:
        (name,), flags = self._split(s, 1, Op.VEC)
        self.words.append(encode(Op.VEC, vec=self._named(s.line, "vec", name), **flags))

    def _core(self, s: Statement) -> None:
        command, rest = [*s.rest.split(maxsplit=1), "", ""][:2]
        commands = {member.name.lower(): member for member in Command}
        if command not in commands:
            self.source.unknown(s.line, "command", command, list(commands))
        (name,), flags = self._split(Statement(s.line, s.key, rest=rest), 1, Op.CORE)
        source = self._named(s.line, "stream", name)
        self.words.append(encode(Op.CORE, command=commands[command], source=source, **flags))

    def _send(self, s: Statement) -> None:
        """``send STREAM, flow N`` or ``send STREAM, context N``, with ``blocks N`` and ``free``."""
        name, _, rest = s.rest.partition(",")
        fields = {"n": 1, "stream": self._named(s.line, "stream", name.strip())}
        for item in self.source.items(s.line, rest):
            if item.name in ("flow", "context"):
                if "flow" in fields:
                    self.source.fail(s.line, "send must have a flow or a context, not both")
                fields["flow"] = self._number(s.line, item.value, item.name, 0, 15)
                fields["reduce"] = int(item.name == "context")
            elif item.name == "blocks":
                fields["n"] = self._number(s.line, item.value, item.name, 1, 255)
            elif item.name == "free" and not item.value:
                fields["free"] = 1
            else:
                self.source.unknown(s.line, "item of send", item.name, ["flow", "context", "blocks", "free"])
        if "flow" not in fields:
            self.source.fail(s.line, "send must have a flow or a context, as in 'send out, flow 0, free'")
        self.words.append(encode(Op.SEND, **fields))

    def _split(self, s: Statement, count: int, op: Op) -> tuple[list[str], dict[str, int]]:
        """Names of an instruction, and its flags."""
        words = [word.strip() for word in s.rest.split(",")]
        flags = [f.name for f in INSTRUCTIONS[op].layout.fields if f.width == 1]
        if len(words) < count or not all(words):
            self.source.fail(s.line, f"{s.key} takes {count} name{'s' * (count > 1)}, then flags, parted by commas")
        for flag in words[count:]:
            if flag not in flags:
                self.source.unknown(s.line, f"flag of {s.key}", flag, flags)
        for before, flag in pairwise(sorted(words[count:])):
            if flag == before:
                self.source.fail(s.line, f"{flag} is there twice")
        return words[:count], dict.fromkeys(words[count:], 1)

    def _named(self, line: int, kind: str, name: str) -> int:
        if name not in self.numbers[kind]:
            self.source.unknown(line, kind, name, sorted(self.numbers[kind]))
        return self.numbers[kind][name]

    def _number(self, line: int, text: str, what: str, low: int, high: int) -> int:
        number = self.source.number(line, text, what)
        if not low <= number <= high:
            self.source.fail(line, f"{what} must be {low} to {high}, not {number}")
        return number
