"""The page of an output folder: its hierarchy, what to read first, and whose each file is."""

import re
from collections.abc import Iterator, Mapping

from mho.rtl_gen.folder import yours_once_changed
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.templates import fill, template

_FILES = (
    ("TOP.f", "the Verilog, the top first (`-F` of Verilator and others)"),
    ("TOP.core", "FuseSoC: targets `lint`, `synth` (by `synth.tcl`) and, with a model in `tb/`, `sim`"),
    ("TOP.sdc", "constraints; what your process and board say is in variables at its head"),
    ("TOP.upf", "power intent: the domains of the digital part and of the macro, and every supply"),
    ("TOP.vlt", "what Verilator's `-Wall` may say, and why"),
    ("stubs/", "the macro as a black box, for synthesis"),
    ("librelane/config.json", "for LibreLane; settings of your own go in a file beside it, given after it"),
    ("librelane/*.lef, .lib", "templates of the macro's views, to be replaced by those of your layout"),
    ("librelane/*.md", "outline of the macro: which of its pins come where, for who draws it"),
    ("regs/", "the registers: a page (`.md`), SystemRDL, IP-XACT, a C header and a driver in C"),
    ("tb/", "a first test (`make`, `pytest`), and the contract of the macro's pins as assertions"),
    ("report.json", "what was generated, from what, with hashes"),
)


def write_readme(design: Design, texts: Mapping[str, str]) -> str:
    """Markdown about all files ``texts`` of a design, by path."""
    texts = {**texts, "README.md": ""}
    modules = {name: text for path, text in texts.items() if path.startswith("rtl/") for name in _modules(text)}
    files = {name: path for path, text in texts.items() if path.startswith("rtl/") for name in _modules(text)}
    tree = "\n".join(_tree(design.top, "", modules, files, design.macro, set()))
    listed = [(path.replace("TOP", design.top), use) for path, use in _FILES]
    return fill(template("readme.md"), {
        "TOP": design.top, "WHAT": design.what, "TREE": tree, "YOURS": _yours(texts),
        "FILES": "\n".join(f"| `{path}` | {use} |" for path, use in listed if _there(path, texts)),
    })


def _yours(texts: Mapping[str, str]) -> str:
    names = sorted({"`tb/`" if path.startswith("tb/") else f"`{path}`" for path in texts if yours_once_changed(path)})
    return ", ".join(names) or "no file"


def _there(path: str, texts: Mapping[str, str]) -> bool:
    first = path.split(",")[0]
    if first == "report.json":
        return True
    pattern = re.escape(first).replace(r"\*", ".*")
    return any(re.match(pattern, name) for name in texts)


def _modules(text: str) -> list[str]:
    return re.findall(r"^module (\w+)", text, re.MULTILINE)


def _tree(
    module: str, instance: str, modules: Mapping[str, str], files: Mapping[str, str], macro: str, shown: set[str],
    depth: int = 0,
) -> Iterator[str]:
    """A line for each block: its instance, what it is, its file; what is in it below it, the first time."""
    name = f"{'  ' * depth}{instance or module}"
    if module not in modules:
        yield f"{name:<34}the macro: stubs/{module}.v"
        return
    text = modules[module]
    remark = re.match(r"// ([^\n]*(?:\n// [^\n]*)*)", text)
    first = re.split(r"(?<=[.:]) ", " ".join(remark[1].replace("\n// ", " ").split()))[0] if remark else ""
    first = first.rstrip(":.")
    yield f"{name:<34}{files[module]}  {first if len(first) < 90 else first[:86] + ' ...'}".rstrip()
    if module in shown:
        return
    shown.add(module)
    for inner, place in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", text, re.MULTILINE):
        if inner in modules or inner == macro:
            yield from _tree(inner, place, modules, files, macro, shown, depth + 1)
