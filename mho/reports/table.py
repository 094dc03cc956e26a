"""A table of a page."""

from collections.abc import Sequence
from html import escape

__all__ = ["table"]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], raw: Sequence[int] = ()) -> str:
    """A table; cells of the columns ``raw`` are HTML already."""
    head = "".join(f"<th>{escape(one)}</th>" for one in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{one if k in raw else escape(one)}</td>" for k, one in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
