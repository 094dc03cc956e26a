"""Line numbers of the keys of a TOML text, which the standard parser does not give."""

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_PATH})\s*=")
_TOKEN = re.compile(r'''"""|\'\'\'|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#|[\[\]{}]''')


def key_lines(text: str) -> dict[str, int]:
    """Line (from 1) of each table and key, by dotted path, in the order of the text.

    ``text`` parses as TOML. Keys inside inline tables are not listed; look up the table that holds them.
    """
    lines: dict[str, int] = {}
    table = ""
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        rest = line
        if depth == 0 and not quote:
            if header := _HEADER.match(line):
                table = _dotted(header[1])
                lines.setdefault(table, number)
                continue
            if assignment := _ASSIGNMENT.match(line):
                path = _dotted(assignment[1])
                lines.setdefault(f"{table}.{path}" if table else path, number)
                rest = line[assignment.end():]
        depth, quote = _skip_value(rest, depth, quote)
    return lines


def first_key(text: str) -> str | None:
    """The first key or table of ``text``, or None if there is none."""
    return next(iter(key_lines(text)), None)


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_PART, path))


def _skip_value(text: str, depth: int, quote: str) -> tuple[int, str]:
    """Brackets and multi-line quotes that are still open at the end of a line."""
    position = 0
    while position < len(text):
        if quote:
            end = text.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
            continue
        token = _TOKEN.search(text, position)
        if token is None or token[0] == "#":
            return depth, quote
        position = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
    return depth, quote
