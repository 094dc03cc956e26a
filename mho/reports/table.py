"""A table of a page."""

from collections.abc import Sequence
from html import escape

__all__ = ["table"]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], raw: Sequence[int] = ()) -> str:
    """A table; cells of the columns ``raw`` are HTML already."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{text if k in raw else escape(text)}</td>" for k, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
