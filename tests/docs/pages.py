"""Blocks of a page, and how they are executed: one after the other, in one folder, as a reader would."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from mho.cli import cli, run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"[|><&$]")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it shows, its text, and where it stands."""

    language: str
    title: str
    text: str
    place: str

    def commands(self) -> Iterator[str]:
        """Its lines, joined where they are continued, without comments and empty ones."""
        for line in self.text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield line


def blocks(page: Path) -> list[Block]:
    """All blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match.group(1), match.group(2) or "", match.group(3),
              f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}")
        for match in _BLOCK.finditer(text)
    ]


def execute(page: Path, names: dict[str, Any]) -> None:
    """Execute a page in the present folder; ``names`` are those of its Python.

    ``sh`` and ``python`` are run, what has a title is written to that file; ``mho`` runs in this process.
    """
    for block in blocks(page):
        if block.title and block.language in ("toml", "text", "python"):
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            if "import torch" in block.text and find_spec("torch") is None:
                return  # and so does all that follows need it
            exec(compile(block.text, block.place, "exec"), names)
        elif block.language == "sh":
            for line in block.commands():
                alone = line.startswith("mho ") and not _SHELL.search(line)
                code = run(shlex.split(line, comments=True)[1:]) if alone else _shell(line)
                assert code == 0, f"{block.place}: {line} ends with {code}"


def _shell(line: str) -> int:
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-ec", line], env=environment, check=False).returncode


def unknown_options(line: str) -> list[str]:
    """What a line that begins with ``mho`` says that the command does not know: subcommands and options."""
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return []
        name = words.pop(0)
        subcommand = command.get_command(click.Context(command), name)
        if subcommand is None:
            return [name]
        command = subcommand
    option_names = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    return [word for word in words if re.match(r"--?[a-zA-Z]", word) and word.partition("=")[0] not in option_names]
