# amaranth: UnusedElaboratable=no
"""What the pages in the block folders say: their code runs, and the files and links that they name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "hw").glob("*/README.md"))


def test_there_are_pages() -> None:
    assert {page.parent.name for page in PAGES} >= {"core", "macro", "host", "emulator", "board"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_page_is_true(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, str(page), "exec"), {})
    links = [page.parent / link.partition("#")[0] for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    tests = [ROOT / path for path in re.findall(r"`(tests/[\w/.]+)`", text)]
    listed = [page.parent / name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
              for name in re.findall(r"`([\w/]+\.py|[\w/]+/)`", row)]
    assert links or listed
    assert [str(path) for path in (*links, *tests, *listed) if not path.exists()] == []
