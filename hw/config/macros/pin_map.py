"""Where a signal of the contract goes: the right side of a line of ``[macro.pins]``, as it is written.

Which bits that are is known where the macro's ports are, in the Verilog generator.
"""

import re
from dataclasses import dataclass, replace

from mho.hw.config.keys import ChipError, as_items, shown

IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_$]*"
"""Of a pin, which scripts name in braces alone; names of modules, nets and ports are :data:`NAME`."""
_SLICE = rf"(?P<name>{IDENTIFIER})(\[(?P<left>\d{{1,6}})(:(?P<right>\d{{1,6}}))?\])?"
_CONSTANT = re.compile(r"(?P<size>\d{1,4})'(?P<base>[bdh])(?P<digits>[0-9A-Fa-f_]+)")
_OPEN = re.compile(r"open\(\s*(\d{1,4})\s*\)")
_TOKEN = re.compile(rf"\s*([{{}}(),!]|\d+'[bdh][0-9A-Fa-f_]+|open\(\s*\d+\s*\)|{IDENTIFIER}(?:\[[\d:]*\])?)")
_LONGEST = 4000

FORMS = '"PIN", "!PIN", "PIN[7:0]", "{HIGH, LOW}", "binary(PIN)", "saturate(PIN)", "reverse(PIN)" or a constant'
"""What a line may hold, for error sentences."""


@dataclass(frozen=True, kw_only=True)
class PinPart:
    """Bits of one pin, or bits that are no pin's."""

    name: str = ""
    """Pin of the macro; empty for a constant and for bits that are left open."""
    inverted: bool = False
    """The pin has the opposite polarity."""
    left: int | None = None
    right: int | None = None
    """Numbers of the outermost bits, as they are written; None for the whole pin."""
    reversed: bool = False
    """The lowest number takes the highest bit; else the lowest number takes the lowest."""
    size: int = 0
    value: int | None = None
    """Bits without a pin, and what they are for a signal that the macro drives; None for bits that are left open."""


@dataclass(frozen=True, kw_only=True)
class PinConnection:
    """Where a signal of the contract goes: bits of pins of the macro, or a constant."""

    parts: tuple[PinPart, ...] = ()
    """From the most significant bit; none for a constant."""
    function: str = ""
    """``binary``: the parts are the number of the one bit that is 1; ``saturate``: they are the lowest bits of a
    number, and its highest value where it is larger; empty: the bits themselves."""
    enable: PinPart | None = None
    """With ``binary``, the pin that says that exactly one bit is 1."""
    constant: int | None = None
    """Value that the signal is tied to (a signal that the macro would drive), or that stands for "not connected"."""


class _Reader:
    """Recursive descent over the tokens of one expression; raises ValueError where it is none."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or len(text) > _LONGEST:
                raise ValueError(text)
            self.tokens.append(match[1])
            position = match.end()
        self.depth = 0

    def next(self) -> str:
        return self.tokens.pop(0) if self.tokens else ""

    def expect(self, token: str) -> None:
        if self.next() != token:
            raise ValueError(token)

    def connection(self) -> PinConnection:
        function, enable = "", None
        if self.tokens[:1] in (["binary"], ["saturate"]) and self.tokens[1:2] == ["("]:
            function = self.next()
            self.next()
            parts = self.parts()
            if function == "binary" and self.tokens[:1] == [","]:
                self.next()
                (enable,) = self.parts()
            self.expect(")")
        else:
            parts = self.parts()
        if self.tokens or not any(part.name for part in parts):
            raise ValueError("a pin is missing, or too much follows")
        if function and not all(part.name for part in (*parts, *([enable] if enable else []))):
            raise ValueError("a function takes pins")
        return PinConnection(parts=tuple(parts), function=function, enable=enable)

    def parts(self) -> list[PinPart]:
        self.depth += 1
        if self.depth > 8:
            raise ValueError("too deep")
        token = self.next()
        if token == "!":
            if self.tokens[:1] == ["!"]:
                raise ValueError("!!")
            parts = [replace(part, inverted=not part.inverted) if part.name else part for part in self.parts()]
        elif token == "{":
            parts = self.parts()
            while self.tokens[:1] == [","]:
                self.next()
                parts += self.parts()
            self.expect("}")
        elif token == "reverse" and self.tokens[:1] == ["("]:
            self.next()
            parts = [replace(part, reversed=not part.reversed) for part in reversed(self.parts())]
            self.expect(")")
        else:
            parts = [_part(token)]
        self.depth -= 1
        return parts


def _part(token: str) -> PinPart:
    if match := _OPEN.fullmatch(token):
        return PinPart(size=_positive(int(match[1])))
    if match := _CONSTANT.fullmatch(token):
        size, digits = _positive(int(match["size"])), match["digits"].replace("_", "")
        value = int(digits, {"b": 2, "d": 10, "h": 16}[match["base"]])
        if value >= 2**size:
            raise ValueError("too large")
        return PinPart(size=size, value=value)
    name, left, right = parse_slice(token)
    return PinPart(name=name, left=left, right=right)


def _positive(size: int) -> int:
    if size < 1:
        raise ValueError("no bits")
    return size


def parse_slice(text: str) -> tuple[str, int | None, int | None]:
    """Name and range of ``PIN``, ``PIN[3]`` or ``PIN[7:0]``.

    Raises ValueError if it is none of these.
    """
    match = re.fullmatch(_SLICE, text)
    if match is None:
        raise ValueError(text)
    left, right = match["left"], match["right"] or match["left"]
    return match["name"], None if left is None else int(left), None if right is None else int(right)


def parse_pins(value: object, path: str) -> tuple[PinConnection, ...]:
    """Read the right side of a pin.

    ``"PIN"``, ``"!PIN"``, ``"PIN[7:0]"``, ``"PIN[3]"``, ``"{HIGH, 2'b0, LOW[3:0]}"``, ``"{PIN, open(2)}"``,
    ``"reverse(PIN)"``, ``"binary(ROW)"``, ``"binary(ROW, ENABLE)"``, ``"saturate(PIN)"``, a list of these for a signal
    that drives several pins, or a constant.

    Raises ChipError if it is none of these; ``path`` names the key.
    """
    if type(value) is int and value >= 0:
        return (PinConnection(constant=value),)
    items = as_items(value)
    listed = [value] if items is None else items
    try:
        texts = [text for text in listed if isinstance(text, str)]
        if not texts or len(texts) < len(listed):
            raise ValueError(value)
        return tuple(_Reader(text).connection() for text in texts)
    except ValueError:
        raise ChipError(path, f"{path} must be {FORMS}, not {shown(value)}") from None
