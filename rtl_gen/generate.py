"""Everything that ``mho generate`` writes, into a folder that is there as a whole or not at all."""

import hashlib
import json
import re
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hw.config import Chip
from macro_models.errors import InputError
from macro_models.output import cannot_write
from macro_models.workspace import Workspace
from rtl_gen.macro.pin_check import check_macro_pins
from rtl_gen.parts import part_texts, part_top, part_wrap
from rtl_gen.statistics import Statistics, count
from rtl_gen.verilog.names import identifier

__all__ = ["GeneratedFile", "GenerationReport", "generate"]

_LONGEST_NAME = 100
"""Characters of a module's name, which files are called after."""
_REPORT = "report.json"
_MARK = "mho generate"
"""What tells a report of ours from any other file of that name."""

_ANOTHER = "name another folder (-o, in Python output_dir)"


@dataclass(frozen=True)
class GeneratedFile:
    """A file, by its path in the folder."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class GenerationReport:
    """What was generated; ``report.json`` holds the same.

    Attributes
    ----------
    directory
        The folder.
    top, wrap
        Name of the top module, and the bus around the core; ``none`` for the network.
    statistics
        Flip-flops and memory bits of the digital part.
    files
        Every file but the report, sorted by path.
    kept
        Files of ``tb`` that the user had changed or added, and that were left as they are.
    """

    directory: Path
    top: str
    wrap: str
    statistics: Statistics
    files: tuple[GeneratedFile, ...]
    kept: tuple[str, ...] = ()


def generate(
    chip: Chip, output_dir: Path | str, *, part: str = "core", wrap: str | None = None, top: str | None = None,
    prefix: str | None = None,
) -> GenerationReport:
    """Write Verilog, black boxes, registers and the files that a tape-out flow wants.

    Parameters
    ----------
    chip
        The chip.
    output_dir
        Made if it is missing. One that an earlier run wrote is written anew, but for what its user changed in ``tb``.
    part
        ``core``: the core of a chip that has one; ``noc``: the network on chip of one that has several.
    wrap
        Bus around the core: ``none``, ``wishbone`` (the default) or ``axil``; the network has none.
    top
        Name of the top module (default: the prefix and ``core``, ``core_wb``, ``core_axil`` or ``noc``).
    prefix
        Put before the name of every other module (default: the chip's).

    Raises
    ------
    InputError
        If an option is wrong, the chip has no such part, the macro's pins do not fit, or the folder holds files of
        somebody else or cannot be written.
    """
    prefix = chip.verilog.prefix if prefix is None else prefix
    wrap = part_wrap(part, wrap)
    name = _check_names(part_top(part, wrap), top, prefix)
    if part == "core" and (problems := check_macro_pins(chip)):
        more = f" (and {len(problems) - 1} more: mho check lists them)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    output = Path(output_dir)
    old = _old_files(output)
    texts = part_texts(part, chip, output, wrap, name, prefix)
    ours = {path: text for path, text in texts.items() if path.startswith("rtl/") and path.count("/") == 1}
    statistics = count(ours, name)
    return _write(
        chip, output, old, texts, statistics, name, {"part": part, "wrap": wrap, "top": top, "prefix": prefix}
    )


def _check_names(path: str, top: str | None, prefix: str) -> str:
    default = f"{prefix}{path}"
    if not re.fullmatch(r"([A-Za-z]\w*)?", prefix, re.ASCII) or "__" in prefix:
        raise InputError(f"prefix must be a Verilog identifier without double underscores, not {prefix!r}")
    name = default if top is None else top
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or identifier(name) != name:
        raise InputError(f"top must be a Verilog identifier, no keyword and without double underscores, not {name!r}")
    for option, value in (("prefix", prefix), ("top", name)):
        if len(value) > _LONGEST_NAME:
            raise InputError(f"{option} must have at most {_LONGEST_NAME} characters, not {len(value)}")
    return name


def _old_files(output: Path) -> dict[str, str]:
    """Hashes by path of what an earlier run wrote.

    Raises
    ------
    InputError
        If there is anything else outside ``tb``.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise InputError(f"{output} must be a folder, not a file or a link")
    if not output.exists() or not any(output.iterdir()):
        return {}
    try:
        report: Any = json.loads((output / _REPORT).read_text(encoding="utf-8"))
        if report["written_by"] != _MARK:
            raise ValueError(report["written_by"])
        old = {file["path"]: file["sha256"] for file in report["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{output} holds files that mho generate did not write: {_ANOTHER}") from None
    present = (path.relative_to(output).as_posix() for path in sorted(output.rglob("*")) if not path.is_dir())
    foreign = [path for path in present if path not in old and path != _REPORT and not path.startswith("tb/")]
    if foreign:
        raise InputError(f"{output} holds {foreign[0]}, which mho generate did not write: {_ANOTHER}")
    return old


def _write(
    chip: Chip,
    output: Path,
    old: dict[str, str],
    texts: dict[str, str],
    statistics: Statistics,
    name: str,
    options: dict[str, Any],
) -> GenerationReport:
    """Write into a temporary folder beside ``output``, then put it in its place."""
    kept = _users_files(output, old)
    entries = tuple(
        GeneratedFile(path, len(texts[path].encode()), _hash(texts[path].encode())) for path in sorted(texts)
    )
    report = {
        "written_by": _MARK,
        "chip": {"name": chip.name, "sha256": chip.sha256, "lines": chip.lines},
        "options": options,
        "top": name,
        "versions": {package: _version(package) for package in ("mho", "amaranth")},
        "statistics": asdict(statistics),
        "files": [asdict(entry) for entry in entries],
    }
    texts = texts | {_REPORT: json.dumps(report, indent=2) + "\n"}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        workspace = Workspace("generate", output.parent)
    except OSError as error:
        raise cannot_write(output, error) from error
    temporary = workspace.path
    try:
        for path, text in texts.items():
            target = temporary / "new" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        for path in kept:
            target = temporary / "new" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(output / path, target)
        if output.exists():
            workspace.keep()
            output.rename(temporary / "old")
        (temporary / "new").rename(output)
    except OSError as error:
        if not output.exists() and (temporary / "old").exists():
            (temporary / "old").rename(output)
        raise cannot_write(output, error) from error
    finally:
        workspace.close()
    return GenerationReport(
        directory=output, top=name, wrap=options["wrap"], statistics=statistics, files=entries, kept=tuple(kept)
    )


def _users_files(output: Path, old: dict[str, str]) -> list[str]:
    """Files of ``tb`` that an earlier run did not write as they are now."""
    if not old:
        return []
    bench = (path for path in sorted((output / "tb").rglob("*")) if path.is_file() and not path.is_symlink())
    names = ((path.relative_to(output).as_posix(), path) for path in bench)
    return [name for name, path in names if old.get(name) != _hash(path.read_bytes())]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
