"""Of the site: its navigation from the folders, pages for files outside ``docs``, links to these.

The pages are read where they lie as well, so their links are those of the tree. Here a link that leaves ``docs`` leads
to a page that shows the file (a folder: the list of its files).
"""

import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

SECTIONS = {
    "tutorial": "Tutorials",
    "howto": "How to",
    "explanation": "Explanations",
    "reference": "Reference",
    "design": "Design",
}
"""Folders of ``docs`` in the order of the navigation."""

OWN_PAGES = {"CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
"""Pages that lie at the root of the tree."""

_KINDS = {".py": "python", ".toml": "toml", ".h": "c", ".v": "verilog", ".sv": "systemverilog"}

_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Make the navigation: in each folder the pages that are named in mkdocs.yml, then the others by name."""
    nav: list[Any] = [{"Home": "index.md"}]
    for folder, title in SECTIONS.items():
        order = config["extra"]["order"].get(folder, [])
        names = sorted(path.stem for path in (DOCS / folder).glob("*.md"))
        names = [name for name in order if name in names] + [name for name in names if name not in order]
        nav.append({title: [f"{folder}/{name}.md" for name in names]})
    nav[-1:] = [{"About": ["gallery.md", "peers.md", *OWN_PAGES.values(), nav[-1]]}]
    config["nav"] = nav
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages at the root of the tree, and one for each file outside ``docs`` that a page links to."""
    wanted: set[Path] = set()
    for name, page in OWN_PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
        wanted |= _outside(text, ROOT)
    for path in DOCS.rglob("*.md"):
        wanted |= _outside(path.read_text(encoding="utf-8"), path.parent)
    for path in sorted(wanted):
        files.append(File.generated(config, _page_of(path), content=_shown(path)))
        for below in sorted(path.iterdir()) if path.is_dir() else ():
            if below.is_file() and below not in wanted:
                files.append(File.generated(config, _page_of(below), content=_shown(below)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links that leave ``docs`` lead to the pages of the site."""
    uri = page.file.src_uri
    here = next((ROOT for own in OWN_PAGES.values() if own == uri), DOCS / PurePosixPath(uri).parent)
    if uri.startswith("source/"):
        return markdown

    def replace(match: re.Match[str]) -> str:
        target = _target(match.group(2), here)
        if target is None:
            return match.group(0)
        away = os.path.relpath(_page_of(target), PurePosixPath(uri).parent)
        return match.group(1) + away + match.group(3)

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(replace, part) for part in parts)


def _target(link: str, here: Path) -> Path | None:
    """The file of the tree that a link means, where it is not one that mkdocs itself finds."""
    if "://" in link or link.startswith("mailto:"):
        return None
    path = Path(os.path.normpath(here / link))
    if not path.exists() or (path.is_relative_to(DOCS) and here != ROOT):
        return None
    return path


def _outside(text: str, here: Path) -> set[Path]:
    found = {_target(match.group(2), here) for match in _LINK.finditer(text)}
    return {path for path in found if path and not path.is_relative_to(DOCS) and path.name not in OWN_PAGES}


def _page_of(path: Path) -> str:
    """Address of the page of a file of the tree."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = path.relative_to(ROOT).as_posix()
    return f"source/{name}/index.md" if path.is_dir() else OWN_PAGES.get(name, f"source/{name}.md")


def _shown(path: Path) -> str:
    """A page that shows a file, or lists a folder."""
    title = f"# {path.relative_to(ROOT).as_posix()}\n\n"
    if path.is_dir():
        return title + "".join(f"* [{one.name}]({one.name}.md)\n" for one in sorted(path.iterdir()) if one.is_file())
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return _notebook(text)
    if path.suffix == ".md":
        return re.sub(_LINK, lambda match: match.group(0).split("]")[0] + "]", text)
    return f"{title}``````{_KINDS.get(path.suffix, 'text')}\n{text}\n``````\n"


def _notebook(text: str) -> str:
    """Cells of a notebook, without their output."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n\n".join(f"``````python\n{source}\n``````" if kind == "code" else source for kind, source in cells)
