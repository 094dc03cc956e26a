"""What the pages tell a reader to do works, from an empty folder, in the order of the page."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, ROOT, blocks, execute, unknown_options

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TOLD = [page for page in PAGES if page.parent.name in ("tutorial", "howto")]
"""Pages that say what to do."""
_ELSEWHERE = {"your-device": "tests/mho/commands/test_device_fit.py"}
"""Pages that a test of their own executes, with more to look at."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_options_of_a_page_exist(page: Path) -> None:
    wrong = {}
    for block in blocks(page):
        if block.language in ("", "sh", "bash", "console"):
            for line in block.commands():
                if line.startswith("mho ") and "[OPTIONS]" not in line:
                    wrong[f"{block.place}: {line}"] = unknown_options(line)
    assert {line: options for line, options in wrong.items() if options} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_one_title(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1


def test_the_first_page_says_what_and_for_whom_then_two_commands_then_one_picture() -> None:
    first, *_ = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")
    said, commands, shown = first.split("```")
    assert len(said.splitlines()) < 20
    assert "It is for" in said
    assert commands.split() == ["./run", "demo", "./run", "test"]
    assert re.findall(r"!\[[^]]+\]\((.*?)\)", shown) == ["docs/demo.png"]
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("![") == 1


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "index.md"], ids=lambda page: page.stem)
def test_files_of_the_first_commands_are_there(page: Path) -> None:
    """In the clone, or made by a command before."""
    created: set[str] = set()
    missing = []
    for line in (line for block in blocks(page) for line in block.text.splitlines()):
        words = re.split(r"[\s\"'():]+", line.partition("  #")[0])
        created |= {words[i + 1] for i, word in enumerate(words[:-1]) if word == "-o"}
        named = (word for word in words if re.fullmatch(r"[\w./-]+\.(onnx|npz|npy|csv|mho|toml)", word))
        missing += [word for word in named if word not in created and not (ROOT / word).is_file()]
    assert missing == []


@pytest.mark.parametrize("page", TOLD, ids=lambda page: page.stem)
def test_a_block_of_commands_says_whether_it_is_executed(page: Path) -> None:
    """``sh`` is; ``console`` needs a board, another package or minutes, or is what another test runs."""
    unmarked = [block.place for block in blocks(page) if not block.language
                and any(line.startswith(("mho ", "cd ", "pip ", "make")) for line in block.commands())]
    assert unmarked == []


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("page", [page for page in TOLD if page.stem not in _ELSEWHERE and any(
    block.language in ("sh", "python") for block in blocks(page))], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")  # as in a clone
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {}
    execute(page, names)
    if page.stem == "first-network":
        assert names["result"].accuracy(names["y"]) > 0.9


def test_the_page_that_is_executed_elsewhere_is() -> None:
    for stem, test in _ELSEWHERE.items():
        assert f"{stem}.md" in (ROOT / test).read_text(encoding="utf-8")
