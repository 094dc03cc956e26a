"""A generated part of a page takes the place of the one before, and nothing else changes."""

from pathlib import Path

import pytest

from mho.macro_models.errors import InputError
from tests.page import put_between, text_around

BEGIN, END = "<!-- begin -->", "<!-- end -->"


def test_what_was_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{END} Head\n{BEGIN}\nthe one before\n{END}\nTail {BEGIN}\n", encoding="utf-8")
    for text in ("| a |\n", "| b |\n"):
        put_between(page, BEGIN, END, text)
        assert page.read_text(encoding="utf-8") == f"{END} Head\n{BEGIN}\n\n{text}\n{END}\nTail {BEGIN}\n"
    assert text_around(page, BEGIN, END) == (f"{END} Head\n", f"\nTail {BEGIN}\n")


@pytest.mark.parametrize("text", [None, "", BEGIN, f"{END}\n{BEGIN}"])
def test_a_page_without_both_marks_in_their_order_is_refused(text: str | None, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    sentence = r"page\.md must have a line <!-- begin --> and, after it, a line <!-- end -->$"
    with pytest.raises(InputError, match=sentence):
        put_between(page, BEGIN, END, "")
    assert page.exists() == (text is not None)
