"""What the pages in the block folders say: their code runs, and the files and links that they name are there."""

import re
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl._ir import Fragment
from amaranth.lib import wiring

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "hw").rglob("README.md")), ROOT / "macro_models" / "README.md"]


def test_there_are_pages() -> None:
    folders = {page.parent.name for page in PAGES}
    assert folders >= {"core", "tnsa", "pwm", "macro", "host", "emulator", "board", "config", "macro_models"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_page_is_true(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        names: dict[str, Any] = {}
        exec(compile(code, str(page), "exec"), names)
        for component in names.values():
            if isinstance(component, wiring.Component):
                Fragment.get(component, None)
    links = [page.parent / link.partition("#")[0] for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    tests = [ROOT / path for path in re.findall(r"`(tests/[\w/.]+)`", text)]
    listed = [page.parent / name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
              for name in re.findall(r"`([\w/]+\.py|[\w/]+/)`", row)]
    assert links or listed
    assert [str(path) for path in (*links, *tests, *listed) if not path.exists()] == []
