"""Keys of a chip description: what one key may hold, and the sentences for what it may not.

A section is a frozen dataclass whose fields are made with :func:`key`. The limits live in the field's metadata, so that
parsing, direct construction in Python, the JSON Schema and ``mho check`` share one definition.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, cast

from mho.macro_models.errors import InputError

Table = Mapping[str, Any]
"""A table of a file, as it is read."""
Tree = dict[str, Any]
"""The same, to be changed."""

_FLOAT_BITS = 1000
"""Of an integer that is a float, too; JSON has any."""


class ChipError(InputError):
    """A key of a chip description is wrong.

    ``key`` is its dotted path, ``named`` are those that the sentence names: the loader adds a line number of one.
    """

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key, self.named = key, re.findall(r"\b[a-z]\w*\.\w+", sentence)


@dataclass(frozen=True, kw_only=True)
class KeySpec:
    """What one key may hold."""

    default: Any
    """Value of an absent key; its type is the type of the key. Lists are held as tuples."""
    doc: str
    """One line that says what the key is."""
    low: float | None = None
    high: float | None = None
    """Smallest and largest number."""
    choices: tuple[Any, ...] = ()
    """The only legal values."""
    pattern: str = ""
    """Regular expression that a string (or every string of a list) matches as a whole."""
    expects: str = "a string"
    """What ``pattern`` stands for, in words."""
    shapes: tuple[str, ...] = ()
    """Parts of the hardware that are generated otherwise for another value: ``core``, ``noc``, ``tile`` (what is around
    core and node), ``emulator`` (of a board), ``adapter`` (of a user's own macro). What comes from none of them is in
    the models and in registers."""
    entries: tuple[str, ...] = ("string", "integer", "array")
    """Types of the entries of a table, as JSON Schema calls them."""
    later: bool = False
    """The key came after chips had been hashed: the resolved description leaves it out where it has its default."""

    def normalise(self, path: str, value: object) -> Any:
        """Check ``value`` and return it as it is stored (whole numbers of a float key as float, lists as tuples).

        Raises ChipError if the type or the range is wrong: "X must be A to B, not V".
        """
        result = value
        kind = cast("type[object]", type(self.default))
        if kind is float and type(value) is int and value.bit_length() < _FLOAT_BITS:
            result = float(value)
        elif kind is tuple and (items := as_items(value)) is not None:
            result = tuple(items)
        elif kind is dict and (table := as_table(value)) is not None:
            result = dict(table)
        if type(result) is not kind or not self._holds(result):
            raise ChipError(path, f"{path} must be {self.legal()}, not {shown(value)}")
        return cast(object, result)

    def _holds(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if (items := as_items(value)) is not None:
            return all(isinstance(item, str) and re.fullmatch(self.pattern, item) for item in items)
        if isinstance(value, str):
            return re.fullmatch(self.pattern, value, re.DOTALL) is not None if self.pattern else True
        if self.low is None or self.high is None:
            return True
        return self.low <= value <= self.high  # False for NaN

    def legal(self) -> str:
        """The legal values in words, for error sentences and tables."""
        if self.choices:
            names = [shown(choice) for choice in self.choices]
            return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, (int, float)):
            number = "an integer " if isinstance(self.default, int) else ""
            return f"{number}{_number(self.low)} to {_number(self.high)}"
        return f"a list of {self.expects}" if isinstance(self.default, tuple) else self.expects


def key(default: Any, doc: str, **limits: Any) -> Any:
    """Field of a section with its limits: :class:`KeySpec` takes the same keywords."""
    spec = KeySpec(default=default, doc=doc, **limits)
    if default == {}:
        return field(default_factory=dict[str, object], hash=False, metadata={"spec": spec})
    return field(default=default, metadata={"spec": spec})


def keys_of(section: object) -> dict[str, KeySpec]:
    """Keys of a section (a dataclass or an instance) in the order in which they are documented."""
    return {f.name: f.metadata["spec"] for f in _fields(section) if "spec" in f.metadata}


def check_section(section: object, prefix: str) -> None:
    """Normalise every key of a new section in place; ``prefix`` is ``"adc."`` or empty at the top.

    Raises ChipError on the first wrong value.
    """
    for name, spec in keys_of(section).items():
        # Frozen dataclasses set their own fields this way.
        object.__setattr__(section, name, spec.normalise(prefix + name, getattr(section, name)))


class Section:
    """Checks the keys of a section when it is built; ``_name`` is its name in the file."""

    _name = ""

    def __post_init__(self) -> None:
        check_section(self, f"{self._name}.")


def shown(value: object) -> str:
    """``value`` as a TOML file spells it, shortened where it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:57] + "..."
        return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'
    if (items := as_items(value)) is not None:
        return "[" + ", ".join(map(shown, items)) + "]"
    if isinstance(value, Mapping):
        return "a table"
    return str(value)


def _number(value: float | None) -> str:
    return f"{value:g}" if isinstance(value, float) and value == round(value, 6) else str(value)


def as_items(value: object) -> Sequence[object] | None:
    """Items of a list; None of what is none."""
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else None


def as_table(value: object) -> Mapping[str, object] | None:
    """Entries of a table; None of what is none."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def _fields(section: object) -> tuple[Field[object], ...]:
    return fields(cast(Any, section))
