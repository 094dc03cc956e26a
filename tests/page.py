"""A page with a part that is generated, between two marks."""

from pathlib import Path

from mho.macro_models.errors import InputError

__all__ = ["put_between", "text_around"]


def text_around(page: Path, begin: str, end: str) -> tuple[str, str]:
    """Text of a page before the mark ``begin`` and after the mark ``end``.

    Raises
    ------
    InputError
        If the page is not there or has not the two marks.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, first, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise InputError(f"{page} must have a line {begin} and, after it, a line {end}")
    return before, after


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Write ``text`` into a page, between its two marks, in place of what is there.

    Raises
    ------
    InputError
        As :func:`text_around`.
    """
    before, after = text_around(page, begin, end)
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")
