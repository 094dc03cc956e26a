"""Operators of the netlist as Verilog expressions.

Every operand is extended to the width that its context has, so that an expression means the same wherever it is put,
and no tool has a width to warn about.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.rtlil import Cell, Const, Sig, Slice, width


@dataclass(frozen=True)
class Expression:
    """Verilog text. ``atom``: it can stand in any operand position without parentheses.

    ``chain`` is the operator of a chain of equals (``a & b & c``), which takes more of them without parentheses.
    """

    text: str
    atom: bool = True
    chain: str = ""

    @property
    def operand(self) -> str:
        """The text, in parentheses where needed."""
        return self.text if self.atom else f"({self.text})"

    def within(self, symbol: str) -> str:
        """The text as an operand of ``symbol``."""
        return self.text if self.chain == symbol else self.operand


def infix(a: Expression, symbol: str, b: Expression) -> Expression:
    """``a symbol b``, shorter where one side is a constant bit."""
    for side, opposite in ((a, b), (b, a)):
        if (side.text, symbol) in (("1'b1", "&"), ("1'b0", "|"), ("1'b0", "^")):
            return opposite
        if (side.text, symbol) in (("1'b0", "&"), ("1'b1", "|")):
            return side
    if symbol in "+-" and re.fullmatch(r"\d+'[bd]0", b.text):
        return a
    chain = symbol if symbol in "&|^" else ""
    return Expression(f"{a.within(symbol)} {symbol} {b.within(symbol)}", atom=False, chain=chain)


def invert(a: Expression) -> Expression:
    """``~a``."""
    if a.text in ("1'b0", "1'b1"):
        return Expression("1'b1" if a.text == "1'b0" else "1'b0")
    if inverted := re.fullmatch(r"~(\w+(?:\[[^\[\]]*\])?)", a.text):
        return Expression(inverted[1])
    if compared := re.fullmatch(r"(\w+(?:\[[^\[\]]*\])?) (==|!=) ([\w']+)", a.text):
        return Expression(f"{compared[1]} {'!=' if compared[2] == '==' else '=='} {compared[3]}", atom=False)
    # Two operators in a row are no Verilog.
    return Expression(f"~({a.text})" if a.text.startswith("~") else f"~{a.operand}")


def _is_concatenation(text: str) -> bool:
    """Whether a text is one concatenation: no repetition, and nothing that only begins with one, as ``{a, b} << 3``."""
    if not re.match(r"\{(?!\d+\{)", text):
        return False
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return position == len(text) - 1
    return False


def concatenation(parts: Sequence[Expression]) -> Expression:
    """Parts in one vector, the most significant first."""
    if len(parts) == 1:
        return parts[0]
    texts = [part.text[1:-1] if _is_concatenation(part.text) else part.text for part in parts]
    return Expression("{" + ", ".join(texts) + "}")


Read = Callable[[Sig], Expression]
"""Gives the expression of a signal."""


def constant(bits: str) -> str:
    """A sized literal: decimal where a person would write it so, else hexadecimal."""
    size = len(bits)
    if set(bits) - {"0", "1"}:
        return f"{size}'b{bits.replace('-', '?')}"
    value = int(bits, 2)
    if size == 1:
        return f"1'b{value}"
    if value < 1024:
        return f"{size}'d{value}"
    if size > 8 and value == 2**size - 1:
        return f"{{{size}{{1'b1}}}}"
    return f"{size}'h{value:x}"


def extend(sig: Sig, size: int, signed: bool = False) -> Sig:
    """A signal with ``size`` bits: extended by its sign or zeros, or cut."""
    missing = size - width(sig)
    if missing <= 0:
        return select(sig, size - 1, 0)
    top = select(sig, width(sig) - 1, width(sig) - 1) if signed and sig else (Const("0"),)
    extended: list[Const | Slice] = []
    for chunk in (*top * missing, *sig):
        if extended and isinstance(chunk, Const) and isinstance(last := extended[-1], Const):
            extended[-1] = Const(last.bits + chunk.bits)
        else:
            extended.append(chunk)
    return tuple(extended)


def select(sig: Sig, high: int, low: int) -> Sig:
    """Bits ``high`` down to ``low`` of a signal."""
    chunks: list[Const | Slice] = []
    base = 0
    for chunk in reversed(sig):
        size = width((chunk,))
        top, bottom = min(high, base + size - 1) - base, max(low, base) - base
        if top >= bottom:
            if isinstance(chunk, Const):
                chunks.append(Const(chunk.bits[size - 1 - top : size - bottom]))
            else:
                chunks.append(Slice(chunk.wire, chunk.low + top, chunk.low + bottom))
        base += size
    return tuple(reversed(chunks))


_INFIX = {
    "$add": "+", "$sub": "-", "$mul": "*", "$and": "&", "$or": "|", "$xor": "^", "$divfloor": "/", "$modfloor": "%",
}
_COMPARE = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
_REDUCE = {"$reduce_bool": "|", "$reduce_or": "|", "$reduce_and": "&", "$reduce_xor": "^"}
_SHIFT = {"$shl": "<<", "$shr": ">>", "$sshr": ">>>"}


_WORDS = {
    "$add": "plus", "$sub": "minus", "$mul": "times", "$and": "and", "$or": "or", "$xor": "xor",
    "$eq": "is", "$ne": "is_not", "$lt": "below", "$le": "at_most", "$gt": "above", "$ge": "at_least",
}
ROLES = {
    **dict.fromkeys(("$add", "$sub"), "sum"), "$mul": "product", "$mux": "choice", "$not": "inverse",
    "$neg": "negative",
    **dict.fromkeys(("$shl", "$shr", "$sshr", "$shift"), "shifted"), "$and": "masked", "$or": "joined",
    "$xor": "difference", **dict.fromkeys(("$reduce_bool", "$reduce_or", "$reduce_and", "$reduce_xor"), "test"),
    **dict.fromkeys(("$eq", "$ne", "$lt", "$le", "$gt", "$ge"), "test"),
}
"""What the result of an operator is to what reads it."""
_PREFIXES = {"$not": "not", "$neg": "minus", "$reduce_bool": "any", "$reduce_or": "any", "$reduce_and": "all"}


def describe(cell: Cell, operand: Callable[[Sig], str]) -> str:
    """A name for what an operator computes; empty if its operands have no names."""

    def word(sig: Sig) -> str:
        bits = "".join(chunk.bits if isinstance(chunk, Const) else "-" for chunk in sig)
        return operand(sig) if set(bits) - {"0", "1"} else str(int(bits or "0", 2))

    if cell.type in _WORDS:
        parts = [word(cell.ports["A"]), _WORDS[cell.type], word(cell.ports["B"])]
    elif cell.type in _PREFIXES:
        parts = [_PREFIXES[cell.type], word(cell.ports["A"])]
    else:
        return ""
    return "_".join(parts) if all(parts) and not parts[0][:1].isdigit() else ""


def _compare(cell: Cell, read: Read) -> Expression:
    a, b = cell.ports["A"], cell.ports["B"]
    signed = cell.number("A_SIGNED") == 1
    size = max(width(a), width(b))
    a, b = extend(a, size, signed), extend(b, size, signed)
    if size == 1 and cell.type in ("$eq", "$ne") and isinstance(b[0], Const):
        same = (b[0].bits == "1") == (cell.type == "$eq")
        return read(a) if same else invert(read(a))
    if signed and cell.type not in ("$eq", "$ne"):
        return Expression(f"$signed({read(a).text}) {_COMPARE[cell.type]} $signed({read(b).text})", atom=False)
    return Expression(f"{read(a).operand} {_COMPARE[cell.type]} {read(b).operand}", atom=False)


def _shift(cell: Cell, read: Read, size: int) -> Expression:
    signed = cell.number("A_SIGNED") == 1
    a = read(extend(cell.ports["A"], size, signed))
    if not cell.ports["B"]:
        return a
    b = read(cell.ports["B"]).operand
    if cell.type == "$sshr" and signed:
        return Expression(f"$unsigned($signed({a.text}) >>> {b})")
    return Expression(f"{a.operand} {_SHIFT[cell.type]} {b}", atom=False)


def conditional(condition: Expression, yes: Expression, no: Expression) -> Expression:
    """``condition ? yes : no``, shorter where one side is a bit."""
    if re.fullmatch(r"~\w+", condition.text):
        return conditional(Expression(condition.text[1:]), no, yes)
    again = re.fullmatch(rf"{re.escape(condition.operand)} \? (\w+(?:\[[\w:]+\])?) : [^?]*", yes.text)
    if again is not None:
        # The same choice within its own arm.
        return conditional(condition, Expression(again[1]), no)
    if condition.text in ("1'b0", "1'b1"):
        return yes if condition.text == "1'b1" else no
    if (yes.text, no.text) == ("1'b1", "1'b0"):
        return condition
    if (yes.text, no.text) == ("1'b0", "1'b1"):
        return invert(condition)
    if no.text == "1'b0":
        return infix(condition, "&", yes)
    if yes.text == "1'b1":
        return infix(condition, "|", no)
    if yes.text == "1'b0":
        return infix(invert(condition), "&", no)
    if no.text == "1'b1":
        return infix(invert(condition), "|", yes)
    return Expression(f"{condition.operand} ? {yes.operand} : {no.operand}", atom=False)


def operator(cell: Cell, read: Read) -> Expression:
    """Expression of an operator cell, of the width of its output.

    Raises ToolError if the cell has no Verilog here.
    """
    kind = cell.type
    size = cell.number("Y_WIDTH", cell.number("WIDTH", 1))
    signed = cell.number("A_SIGNED") == 1
    if kind in _COMPARE:
        return _compare(cell, read)
    if kind in _SHIFT:
        return _shift(cell, read, size)
    if kind in ("$divfloor", "$modfloor") and signed:
        raise ToolError(f"A signed {kind[1:-5]} has no Verilog here: division rounds towards zero there")
    if kind in _INFIX:
        a, b = (read(extend(cell.ports[p], size, signed)) for p in "AB")
        return infix(a, _INFIX[kind], b)
    if kind in _REDUCE:
        a = read(cell.ports["A"])
        if width(cell.ports["A"]) == 1:
            return a
        # `^~` would be one token.
        return Expression(f"{_REDUCE[kind]}{a.text if a.atom and a.text[0] != '~' else f'({a.text})'}", atom=False)
    if kind in ("$not", "$neg"):
        a = read(extend(cell.ports["A"], size, signed))
        return invert(a) if kind == "$not" else Expression(f"-{a.operand}", atom=False)
    if kind == "$mux":
        s, a, b = (read(cell.ports[p]) for p in "SAB")
        return conditional(s, b, a)
    raise ToolError(f"The netlist has a {kind} cell, which has no Verilog here")
