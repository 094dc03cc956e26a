"""Statements of the C++ that Verilator writes for a clock edge: what each reads and writes.

Known are assignments, calls, and ``if`` with blocks. Whatever else is met raises :class:`UnknownFormError`, and the
model is then evaluated as Verilator has it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_BODY = re.compile(r"^    // Body\n", re.MULTILINE)
_LOCAL = re.compile(r"^    (\w+(?:<[\w:/*<>, ]+>)?)/\*[\d:]+\*/ (\w+);\n", re.MULTILINE)
_ZEROED = re.compile(r"^    (\w+ = 0|VL_ZERO_W\(\d+, \w+\));\n", re.MULTILINE)
_WRAPPER = re.compile(r"^(?:VL_INLINE_OPT )?void (\w+__Vdpiimwrap_\w+)\(([^{;]*)\) \{", re.MULTILINE)
_MEMBER = re.compile(r"vlSelfRef\.(\w+)")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_CAST = {"IData", "QData", "SData", "CData"}
_PURE = re.compile(
    r"VL_(SHIFT[LR]S?|[LG]TE?S?|EQ|NEQ|EXTENDS?|RED(XOR|AND|OR)|COUNTONES|ONEHOT0?|SEL|BITSEL|DIVS?|MODDIVS?|MULS?|"
    r"NEGATE|BITREVERSE|CLOG2)_[A-Z0-9]+$|VL_U?NLIKELY$|VL_LIKELY$"
)
_OUT = {"VL_ASSIGNSEL_WI": 3, "VL_ASSIGNSEL_WQ": 3, "VL_ASSIGNSEL_WW": 3, "VL_ASSIGN_W": 1, "VL_ZERO_W": 1}
"""Calls that are statements, and which argument they write; they write all of it but for ``ASSIGNSEL``."""
_SINGLE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")


class UnknownFormError(Exception):
    """The code is not of a known form."""


@dataclass(frozen=True)
class Leaf:
    """A statement without others in it."""

    text: str
    """The statement, on one line."""
    reads: frozenset[str]
    writes: frozenset[str]
    """Names of members, and of locals with the function before them."""
    whole: bool = True
    """Whether all of what it writes is written; ``word``: the word that is, if it is one of several."""
    word: int | None = None
    effect: bool = False
    """It calls something outside of the model."""


@dataclass(frozen=True)
class Branch:
    """``if`` with its two blocks."""

    condition: str
    reads: frozenset[str]
    then: tuple["Statement", ...]
    other: tuple["Statement", ...]


Statement = Leaf | Branch


@dataclass
class Function:
    """A function of the model: its statements, and its locals as C++ by their names with the function's before them."""

    name: str
    statements: list[Statement] = field(default_factory=list)
    locals: dict[str, str] = field(default_factory=dict)


def leaves(statement: Statement) -> Iterator[Leaf]:
    """All leaves of a statement in their order."""
    if isinstance(statement, Leaf):
        yield statement
    else:
        for branch in (*statement.then, *statement.other):
            yield from leaves(branch)


def signatures(code: str) -> dict[str, list[bool]]:
    """For each function outside of the model whether each of its arguments is written."""
    outputs = {}
    for name, arguments in _WRAPPER.findall(code):
        types = re.sub(r"/\*.*?\*/|<[^>]*>", "", arguments)
        outputs[name] = ["&" in kind and "const" not in kind for kind in types.split(",") if kind.strip()]
    return outputs


def parse_function(name: str, body: str, outside: Mapping[str, list[bool]]) -> Function:
    """Parse the text between the braces of a function.

    Raises UnknownFormError if anything in it is not known.
    """
    head, types, text = _split(body)
    if not types:
        raise UnknownFormError(f"{name} has no body")
    declared = {local: kind for kind, local in _LOCAL.findall(head)}
    left = _ZEROED.sub("", _LOCAL.sub("", head.partition("// Init\n")[2]))
    if left:
        raise UnknownFormError(f"{name}: {left}")
    function = Function(name)
    for local, kind in declared.items():
        wide = re.fullmatch(r"VlWide<(\d+)>", kind)
        if wide:
            zero = f"VL_ZERO_W({32 * int(wide[1])}, {local});"
            function.locals[f"{name}:{local}"] = f"{kind} {local}; {zero}"
        else:
            function.locals[f"{name}:{local}"] = f"{kind} {local} = 0;"
    parser = _Parser(re.sub(r"\s+", " ", text).strip(), name, set(declared), outside)
    function.statements = parser.block(top=True)
    return function


def _split(body: str) -> tuple[str, bool, str]:
    match = _BODY.search(body)
    return (body[: match.start()], True, body[match.end() :]) if match else (body, False, "")


class _Parser:
    def __init__(self, text: str, function: str, local: set[str], outside: Mapping[str, list[bool]]) -> None:
        self._text, self._at, self._function, self._local, self._outside = text, 0, function, local, outside

    def block(self, *, top: bool = False) -> list[Statement]:
        """Statements up to the brace that closes, or to the end."""
        statements: list[Statement] = []
        while True:
            self._blank()
            if self._at == len(self._text):
                if top:
                    return statements
                raise UnknownFormError(f"{self._function}: a block has no end")
            if self._text[self._at] == "}":
                if top:
                    raise UnknownFormError(f"{self._function}: a block ends that has not begun")
                self._at += 1
                return statements
            statements.append(self._branch() if self._text.startswith("if (", self._at) else self._leaf())

    def _blank(self) -> None:
        while self._at < len(self._text) and self._text[self._at] == " ":
            self._at += 1

    def _branch(self) -> Branch:
        start = self._at + len("if ")
        end = _closing(self._text, start)
        condition = self._text[start + 1 : end].strip()
        self._at = end + 1
        then, otherwise = self._braced(), list[Statement]()
        self._blank()
        if self._text.startswith("else ", self._at):
            self._at += len("else ")
            otherwise = [self._branch()] if self._text.startswith("if (", self._at) else self._braced()
        return Branch(condition, self._reads(condition), tuple(then), tuple(otherwise))

    def _braced(self) -> list[Statement]:
        self._blank()
        if not self._text.startswith("{", self._at):
            raise UnknownFormError(f"{self._function}: no block behind a condition")
        self._at += 1
        return self.block()

    def _leaf(self) -> Leaf:
        start = at = self._at
        while self._text[at] != ";":
            if self._text[at] in "([":
                at = _closing(self._text, at)
            elif self._text[at] in "{}":
                raise UnknownFormError(f"{self._function}: {self._text[start:at + 1]}")
            at += 1
            if at >= len(self._text):
                raise UnknownFormError(f"{self._function}: a statement has no end")
        self._at = at + 1
        text = self._text[start : at + 1]
        call = re.match(r"(\w+)\(", text)
        return self._call(text, call[1]) if call else self._assignment(text)

    def _assignment(self, text: str) -> Leaf:
        target = re.match(r"(?:vlSelfRef\.)?(\w+)", text)
        if target is None:
            raise UnknownFormError(f"{self._function}: {text}")
        at, indices = target.end(), list[str]()
        while True:
            while text[at] == " ":
                at += 1
            if text[at] != "[":
                break
            end = _closing(text, at)
            indices.append(text[at + 1 : end])
            at = end + 1
        if text[at] != "=" or text[at + 1] == "=":
            raise UnknownFormError(f"{self._function}: {text}")
        reads = self._reads(text[at + 1 : -1])
        for index in indices:
            reads |= self._reads(index)
        word = re.fullmatch(r"(\d+)U", indices[0]) if len(indices) == 1 else None
        return Leaf(text, reads, self._target(text[: target.end()]), not indices, int(word[1]) if word else None)

    def _call(self, text: str, name: str) -> Leaf:
        arguments = _arguments(text[len(name) + 1 : _closing(text, len(name))])
        if name in _OUT:
            k = _OUT[name]
            written = self._target(arguments[k])
            reads = frozenset[str]().union(*(self._reads(argument) for n, argument in enumerate(arguments) if n != k))
            return Leaf(text, reads, written, whole="SEL" not in name)
        outs = self._outside.get(name)
        if outs is None or len(outs) != len(arguments):
            raise UnknownFormError(f"{self._function}: {text}")
        written, reads = frozenset[str](), frozenset[str]()
        for argument, out in zip(arguments, outs, strict=True):
            if out:
                written |= self._target(argument)
            else:
                reads |= self._reads(argument)
        return Leaf(text, reads, written, effect=True)

    def _target(self, text: str) -> frozenset[str]:
        if member := re.fullmatch(r"vlSelfRef\.(\w+)", text.strip()):
            return frozenset({member[1]})
        if text.strip() in self._local:
            return frozenset({f"{self._function}:{text.strip()}"})
        raise UnknownFormError(f"{self._function}: {text} is written")

    def _reads(self, text: str) -> frozenset[str]:
        if _SINGLE_EQUALS.search(text) or any(char in text for char in "{}\"'"):
            raise UnknownFormError(f"{self._function}: {text}")
        names = set(_MEMBER.findall(text))
        for name in _NAME.findall(text):
            if name in self._local:
                names.add(f"{self._function}:{name}")
            elif not (name == "vlSelfRef" or name in _CAST or _PURE.match(name) or "__ConstPool__" in name):
                raise UnknownFormError(f"{self._function}: {name}")
        return frozenset(names)


def _closing(text: str, at: int) -> int:
    """Where the bracket at a place is closed."""
    depth = 0
    for k in range(at, len(text)):
        if text[k] in "([":
            depth += 1
        elif text[k] in ")]":
            depth -= 1
            if not depth:
                return k
    raise UnknownFormError("a bracket is not closed")


def _arguments(text: str) -> list[str]:
    """What is between the commas that are in no brackets."""
    pieces, start, depth = list[str](), 0, 0
    for k, char in enumerate(text):
        depth += char in "(["
        depth -= char in ")]"
        if char == "," and not depth:
            pieces.append(text[start:k].strip())
            start = k + 1
    return [*pieces, text[start:].strip()]
