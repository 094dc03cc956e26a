"""The ports of a user's own macro: read from its files, or as its pin map needs them."""

from pathlib import Path

from mho.hw.config import Chip, MacroSection
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, read_text
from mho.rtl_gen.verilog.ports import Port, has_body, module_ports

VERILOG = FileKind("Verilog file", 1 << 26)


def macro_files(chip: Chip) -> list[Path]:
    """Sources of the user's own macro for simulation."""
    return [] if chip.macro is None else [(chip.folder or Path()) / name for name in chip.macro.files]


def rtl_files(chip: Chip) -> list[Path]:
    """Sources of the user's own wrapper around the macro."""
    return [] if chip.macro is None else [(chip.folder or Path()) / name for name in chip.macro.rtl]


def read_module(paths: list[Path], module: str) -> tuple[str | None, list[str]]:
    """Text of the first file that holds a module, and what is wrong with files before it."""
    problems = []
    for path in paths:
        try:
            text = read_text(path, VERILOG)
        except InputError as error:
            problems.append(str(error))
            continue
        if module_ports(text, module) is not None:
            return text, problems
    return None, problems


def macro_ports(chip: Chip) -> tuple[dict[str, Port] | None, list[str]]:
    """Ports of the module that has the pins, None if no file tells them; and what is wrong with the files."""
    macro = chip.macro
    if macro is None:
        return None, []
    problems = _wrapper_problems(chip, macro)
    key, paths = ("rtl", rtl_files(chip)) if macro.wrapper else ("files", macro_files(chip))
    text, unread = read_module(paths, macro.outer)
    problems += [f"macro.{key}: {problem}" for problem in unread]
    if text is not None:
        return module_ports(text, macro.outer), problems
    if paths and not unread:
        name = "wrapper" if macro.wrapper else "module"
        problems.append(f"macro.{name}: no file in macro.{key} has a module {macro.outer}")
    return None, problems


def _wrapper_problems(chip: Chip, macro: MacroSection) -> list[str]:
    if not macro.wrapper:
        return ["macro.rtl needs macro.wrapper, the module in it that has the pins"] if macro.rtl else []
    if not macro.rtl:
        return [f"macro.wrapper needs macro.rtl, the files that hold {macro.wrapper} and what it uses"]
    if macro.wrapper == macro.module:
        return [f"macro.wrapper must be another module than macro.module, not {macro.wrapper}"]
    if read_module(rtl_files(chip), macro.module)[0] is not None:
        return [f"macro.rtl must not hold {macro.module}, which is hardened: name its file in macro.files"]
    text, problems = read_module(macro_files(chip), macro.module)
    sentences = [f"macro.files: {problem}" for problem in problems]
    if text is None and not sentences:
        sentences.append(
            f"macro.files must hold the module {macro.module} within the wrapper: a model, or its ports alone"
        )
    return sentences


def has_model(chip: Chip) -> bool:
    """Whether the files of the user's own macro hold more than its ports: a model of what it does."""
    if chip.macro is None:
        return False
    text, _ = read_module(macro_files(chip), chip.macro.module)
    return text is not None and has_body(text, chip.macro.module)
