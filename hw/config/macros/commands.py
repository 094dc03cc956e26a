"""``[macro.commands]``: what a macro with a command port and a converter of its own is told for each strobe.

Whether the words fit the lines of a chip is checked where these are known, by :meth:`CommandTable.problems`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mho.hw.config.keys import ChipError, KeySpec, Table, as_items, shown
from mho.macro_models.errors import nearest

HANDSHAKES = ("level", "ready", "four_phase")
"""How a command is given and ends, see :class:`mho.hw.kinds.tnsa.pins.CommandPort`."""

SOURCES = ("pos", "neg", "bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en", "plane", "backward", "line", "first")
"""What a data word may be made of, numbers apart."""

_TERM = re.compile(
    r"(?:(?P<name>[a-z_]+)(?:\[(?P<left>\d{1,4})(?::(?P<right>\d{1,4}))?\])?|(?P<value>0x[0-9A-Fa-f]+|\d+))"
    r"(?:\s*<<\s*(?P<shift>\d{1,3}))?"
)
_WORD = re.compile(r"(?P<command>0x[0-9A-Fa-f]+|\d+)(?:\s+(?P<terms>\S.*))?")
_PLAIN = {
    "command_bits": KeySpec(default=0, doc="", low=1, high=32),
    "data_bits": KeySpec(default=16, doc="", low=1, high=1024),
    "code_bits": KeySpec(default=16, doc="", low=2, high=32),
    "codes": KeySpec(default=1, doc="", low=1, high=1024),
    "lines": KeySpec(default=0, doc="", low=1, high=1024),
    "handshake": KeySpec(default=HANDSHAKES[0], doc="", choices=HANDSHAKES),
}
"""Keys that are no commands."""
_RUNS = {"clear": 0, "sample": 1, "read": 1}
"""Fewest commands."""
_LONGEST = 256


@dataclass(frozen=True, kw_only=True)
class CommandTerm:
    """A part of a data word: a source, bits ``low`` to ``high`` of it, or the number ``value``, shifted to the left."""

    source: str = ""
    low: int = 0
    high: int | None = None
    value: int = 0
    shift: int = 0

    def size(self, widths: Mapping[str, int]) -> int:
        """Bits from the lowest one of the data word."""
        if not self.source:
            return self.value.bit_length() + self.shift
        return (widths[self.source] if self.high is None else self.high + 1) - self.low + self.shift


@dataclass(frozen=True, kw_only=True)
class CommandWord:
    """A command and its data word: ``terms``, joined by or; ``text`` as the description has it."""

    command: int
    terms: tuple[CommandTerm, ...] = ()
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class CommandTable:
    """``[macro.commands]``, read."""

    clear: tuple[CommandWord, ...] = ()
    sample: tuple[CommandWord, ...]
    read: tuple[CommandWord, ...]
    """Commands of a precharge, of a sample, and for the codes of ``codes`` lines."""
    command_bits: int
    data_bits: int = 16
    code_bits: int = 16
    """Widths; a code is signed."""
    codes: int = 1
    """Codes that a read brings, the lowest line lowest."""
    lines: int = 0
    """Lines with converters, the lowest of the core; the codes of all others are 0."""
    handshake: str = "level"
    """One of :data:`HANDSHAKES`."""

    @property
    def words(self) -> tuple[CommandWord, ...]:
        """All of them."""
        return (*self.clear, *self.sample, *self.read)

    def converted(self, lines: int) -> int:
        """Lines of a core of ``lines`` that have converters."""
        return self.lines or lines

    def absent(self, lines: int) -> tuple[set[int], set[int]]:
        """Lines of a core of ``lines`` beyond those with converters, and bit lines that no sample is told of."""
        sent = set[int]()
        for term in (term for word in self.sample for term in word.terms if term.source in ("pos", "bl_pos")):
            sent |= set(range(term.low, lines if term.high is None else term.high + 1))
        return set(range(self.converted(lines), lines)), set(range(lines)) - sent if sent else set()

    def widths(self, lines: int) -> dict[str, int]:
        """Bits of each source at a core of ``lines``."""
        sizes = {"plane": 3, "backward": 1, "line": max((lines - 1).bit_length(), 1), "first": 1}
        return {name: sizes.get(name, lines) for name in SOURCES}

    def problems(self, lines: int) -> list[str]:
        """What does not fit a core of ``lines``, one sentence each."""
        sentences = list(self._too_wide(self.widths(lines)))
        if self.lines > lines:
            sentences.append(f"macro.commands.lines must be 1 to {lines}, the lines of the core, not {self.lines}")
        elif self.converted(lines) % self.codes:
            sentences.append(
                f"macro.commands.codes must divide the {self.converted(lines)} lines with converters, not {self.codes}"
            )
        return sentences

    def _too_wide(self, widths: Mapping[str, int]) -> Iterator[str]:
        for run in _RUNS:
            for word in getattr(self, run):
                for term in word.terms:
                    where, width = f"macro.commands.{run}", widths.get(term.source, 0)
                    if term.source and (term.low if term.high is None else term.high) >= width:
                        yield f"{where}: {term.source} has bits 0 to {width - 1}, not those of {shown(word.text)}"
                    elif term.size(widths) > self.data_bits:
                        part = f"; a part is written as {term.source}[{self.data_bits - 1}:0]"
                        size, hint = term.size(widths), part if width > self.data_bits else ""
                        yield (
                            f"{where}: the data word must have at most {self.data_bits} bits (macro.commands.data_bits)"
                            f", not the {size} of {shown(word.text)}{hint}"
                        )


def parse_commands(table: Table, path: str) -> CommandTable:
    """Read the table; ``path`` names it in sentences.

    Raises ChipError if a key is unknown or missing, or a value is wrong.
    """
    entries = (*_RUNS, *_PLAIN)
    for name in table:
        if name not in entries:
            meant = nearest(name, entries)
            hint = f"did you mean {meant}?" if meant else f"it has {', '.join(entries)}"
            raise ChipError(f"{path}.{name}", f"unknown key {path}.{name}; {hint}")
    runs = {name: _run(table, name, f"{path}.{name}", fewest) for name, fewest in _RUNS.items()}
    plain = {
        name: spec.normalise(f"{path}.{name}", table[name]) if name in table else spec.default
        for name, spec in _PLAIN.items()
    }
    needed = max(max(word.command for words in runs.values() for word in words).bit_length(), 1)
    if plain["command_bits"] and plain["command_bits"] < needed:
        raise ChipError(
            f"{path}.command_bits", f"{path}.command_bits must be {needed} to 32 for these commands, not "
            f"{plain['command_bits']}",
        )
    plain["command_bits"] = plain["command_bits"] or needed
    return CommandTable(clear=runs["clear"], sample=runs["sample"], read=runs["read"], **plain)


def _run(table: Table, name: str, path: str, fewest: int) -> tuple[CommandWord, ...]:
    value = as_items(table.get(name, []))
    if value is None or not fewest <= len(value) <= _LONGEST:
        what = "is missing: it is" if name not in table else "must be"
        raise ChipError(path, f'{path} {what} a list of {fewest} to {_LONGEST} commands, as ["2 pos", "3 neg"]')
    return tuple(_word(item, path) for item in value)


def _word(item: object, path: str) -> CommandWord:
    match = _WORD.fullmatch(item.strip()) if isinstance(item, str) else None
    if match is None:
        forms = '"5", "2 pos[15:0]" or "5 0x100 | backward"'
        raise ChipError(path, f"{path} must hold commands as {forms}, not {shown(item)}")
    command = int(match["command"], 0)
    if command.bit_length() > 32:
        raise ChipError(path, f"{path}: a command must have at most 32 bits, not {shown(item)}")
    terms = tuple(_term(text.strip(), path, match[0]) for text in match["terms"].split("|")) if match["terms"] else ()
    return CommandWord(command=command, terms=terms, text=match[0])


def _term(text: str, path: str, word: str) -> CommandTerm:
    match = _TERM.fullmatch(text)
    name = match["name"] if match else None
    if match is None or (name and name not in SOURCES):
        meant = nearest(name, SOURCES) if name else None
        hint = f"did you mean {meant}?" if meant else f"it is a number or one of {', '.join(SOURCES)}"
        raise ChipError(path, f"{path}: {shown(text)} in {shown(word)} is nothing a data word is made of; {hint}")
    shift = int(match["shift"] or 0)
    if not name:
        return CommandTerm(value=int(match["value"], 0), shift=shift)
    if match["left"] is None:
        return CommandTerm(source=name, shift=shift)
    left, right = int(match["left"]), int(match["right"] or match["left"])
    if left < right:
        raise ChipError(path, f"{path}: write {name}[{right}:{left}], the highest bit first, in {shown(word)}")
    return CommandTerm(source=name, low=right, high=left, shift=shift)
