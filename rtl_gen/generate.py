"""Everything that ``mho generate`` writes, into a folder that is there as a whole or not at all."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hw.chip import top_name
from hw.config import Chip
from hw.host.core_map import chip_map
from macro_models.errors import InputError
from rtl_gen.emit import file_name, module_texts
from rtl_gen.flow_files import Design, file_list, fusesoc_core, librelane_config, sdc, waivers
from rtl_gen.macro import module_name, write_stub
from rtl_gen.names import identifier
from rtl_gen.pin_check import check_macro_pins, macro_files, macro_widths
from rtl_gen.registers import c_header, markdown, system_rdl
from rtl_gen.statistics import Statistics, count
from rtl_gen.testbench import bench_files

__all__ = ["GeneratedFile", "GenerationReport", "generate"]

_REPORT = "report.json"
_MARK = "mho generate"
"""What tells a report of ours from any other file of that name."""

_MACRO_INSTANCE = "macro.macro"
"""Instance of the adapter within the core, and of the macro within the adapter."""


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
        Name of the top module, and the bus around the core.
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
    chip: Chip, output_dir: Path | str, *, wrap: str = "wishbone", top: str | None = None, prefix: str | None = None
) -> GenerationReport:
    """Write Verilog, black boxes, registers and the files that a tape-out flow wants.

    Parameters
    ----------
    chip
        The chip, of one core.
    output_dir
        Made if it is missing. One that an earlier run wrote is written anew, but for what its user changed in ``tb``.
    wrap
        Bus around the core: ``none``, ``wishbone`` or ``axil``.
    top
        Name of the top module (default: the prefix and ``core``, ``core_wb`` or ``core_axil``).
    prefix
        Put before the name of every other module (default: the chip's).

    Raises
    ------
    InputError
        If an option is wrong, the macro's pins do not fit, or the folder holds files of somebody else or cannot be
        written.
    """
    prefix = chip.verilog.prefix if prefix is None else prefix
    name = _check_names(chip, wrap, top, prefix)
    if problems := check_macro_pins(chip):
        more = f" (and {len(problems) - 1} more: mho check lists them)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    output = Path(output_dir)
    old = _old_files(output)
    texts = _texts(chip, output, wrap, name, prefix)
    statistics = count({path: text for path, text in texts.items() if path.startswith("rtl/")}, name)
    return _write(chip, output, old, texts, statistics, name, wrap, {"top": top, "prefix": prefix})


def _check_names(chip: Chip, wrap: str, top: str | None, prefix: str) -> str:
    default = f"{prefix}{top_name(wrap)}"
    if not re.fullmatch(r"([A-Za-z]\w*)?", prefix, re.ASCII) or "__" in prefix:
        raise InputError(f"prefix must be a Verilog identifier without double underscores, not {prefix!r}")
    name = default if top is None else top
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or identifier(name) != name:
        raise InputError(f"top must be a Verilog identifier, no keyword and without double underscores, not {name!r}")
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
        raise InputError(f"{output} holds files that mho generate did not write: name another folder") from None
    present = (path.relative_to(output).as_posix() for path in sorted(output.rglob("*")) if not path.is_dir())
    foreign = [path for path in present if path not in old and path != _REPORT and not path.startswith("tb/")]
    if foreign:
        raise InputError(f"{output} holds {foreign[0]}, which mho generate did not write: name another folder")
    return old


def _texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files but the report, by path."""
    modules = module_texts(chip, wrap, top=name, prefix=prefix)
    rtl = {f"rtl/{file_name(module, prefix)}": text for module, text in modules.items()}
    macro = module_name(chip.macro)
    if macro in modules or len(rtl) < len(modules):
        raise InputError(f"top must not be the name of an inner module or of its file, not {name!r}")
    instance = _MACRO_INSTANCE if wrap == "none" else f"core.{_MACRO_INSTANCE}"
    stub = f"stubs/{macro}.v"
    design = Design(chip=chip, top=name, rtl=tuple(rtl), stubs=(stub,), macro=macro, macro_instance=instance)
    texts = rtl | {
        stub: write_stub(chip, macro_widths(chip)),
        f"{name}.f": file_list(design),
        f"{name}.vlt": waivers(),
        f"{name}.core": fusesoc_core(design),
        f"{name}.sdc": sdc(design),
        "librelane/config.json": librelane_config(design),
    }
    if wrap != "none":
        map = chip_map(chip)
        texts |= {
            f"regs/{name}.rdl": system_rdl(map, name),
            f"regs/{name}.md": f"# Registers of {name}\n\n{markdown(map)}",
            f"regs/{name}.h": c_header(map, name),
        }
    models = tuple(os.path.relpath(path.resolve(), output.resolve() / "tb") for path in macro_files(chip))
    return texts | {f"tb/{path}": text for path, text in bench_files(design, wrap, models).items()}


def _write(
    chip: Chip,
    output: Path,
    old: dict[str, str],
    texts: dict[str, str],
    statistics: Statistics,
    name: str,
    wrap: str,
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
        "options": {"wrap": wrap, **options},
        "top": name,
        "versions": {package: _version(package) for package in ("mho", "amaranth")},
        "statistics": asdict(statistics),
        "files": [asdict(entry) for entry in entries],
    }
    texts = texts | {_REPORT: json.dumps(report, indent=2) + "\n"}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from error
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
            output.rename(temporary / "old")
        (temporary / "new").rename(output)
    except OSError as error:
        if not output.exists() and (temporary / "old").exists():
            (temporary / "old").rename(output)
        raise InputError(f"{output}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return GenerationReport(
        directory=output, top=name, wrap=wrap, statistics=statistics, files=entries, kept=tuple(kept)
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
