"""Verilog to a program: Verilator and the C++ compiler, called from here alone, and the hardware as Verilog.

The program may have a main of its own, or cocotb inside. cocotb's runner makes every signal of the design public, which
costs more than half of the speed; here only the few signals that the bench watches are.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from amaranth.lib import wiring

from mho.macro_models.errors import ToolError
from mho.macro_models.files.scripts import is_plain, make_word
from mho.rtl_gen.verilog.netlist import emit
from mho.sim.build.edges import PARTS, edge_sources, name_scopes
from mho.sim.build.toolchain import (
    cached_build,
    hash_files,
    nearby,
    require_cocotb,
    require_tool,
    run_logged,
    tool_version,
)

_LISTS = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+= \\\n((?:\t.*\n)*)", re.MULTILINE)


@cache
def cpu_flags() -> str:
    """What ``-march=native`` depends on."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), platform.processor())


def take_runtime(objects: Path, make: Sequence[str]) -> None:
    """Put the objects of Verilator's library that a simulator links into the folder in which it is built.

    They are compiled by the commands with which its makefile would, and taken from the cache where these commands and
    the tools are the same. Where that is not possible nothing is put there: the makefile then compiles them itself.

    Parameters
    ----------
    objects
        Where Verilator wrote ``Vtop.mk``.
    make
        How ``make`` is called there, without its targets.
    """
    text = (objects / "Vtop_classes.mk").read_text(encoding="utf-8")
    names = [f"{word}.o" for listed in _LISTS.findall(text) for word in listed.split() if word != "\\"]
    said = subprocess.run([*make, "-n", *names], cwd=objects, capture_output=True, text=True, check=False)
    if not names or said.returncode:
        return

    def build(folder: Path) -> None:
        run_logged([*make, *names], folder / "build.log", "the C++ compiler of Verilator's library", cwd=objects)
        for name in names:
            shutil.copyfile(objects / name, folder / name)

    with suppress(ToolError):
        key = [said.stdout, tool_version("verilator"), tool_version("g++")]
        folder = cached_build("runtime", [*key, cpu_flags()], build, what="")
        for name in names:
            # A new copy: it must be newer than the makefile, and nothing may write through it into the cache.
            shutil.copyfile(folder / name, objects / name)


_LEVEL = os.environ.get("MHO_OPTIMISE", "-O2")
"""With -O1 the C++ compiler takes two thirds of the time, which short simulations do not win back."""

FAST = f"{_LEVEL} -march=native"
"""How what runs in every cycle is compiled."""

UNOPTIMISED = "-O0"
"""For what runs for less than it takes to compile."""

ONE_PIECE = 2_000_000
"""Bytes of C++ below which it is compiled in one piece: half of the time, since each piece reads all headers, and two
of them are made beforehand. Beyond, two processors are done sooner with pieces, if they optimise."""

EXACT = f"{_LEVEL} -march=native -fno-math-errno -ffp-contract=off"
"""For the simulator and the shim; -O3 is 6 % slower on a core of 256 lines, and takes longer.

The charges are integers; contraction is off so that nothing ever depends on FMA."""

PART = 1000
"""Operations of a part of a model whose instances are evaluated together: a few KB of code."""

_TOOLS = ("verilator", "g++", "make")

_COMPILER = "the C++ compiler of the simulator"


@cache
def hardware_hash() -> str:
    """What decides what Verilog comes out: hash of the code, and the version of Amaranth."""
    root = Path(__file__).parents[2]
    folders = [root / package for package in ("hw", "rtl_gen", "macro_models/integer")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".v", ".sv", ".txt")]
    return f"{hash_files(files)} {version('amaranth')}"


def compiler_key() -> list[str]:
    """What decides, beside the sources and the options, what program comes out."""
    for tool in _TOOLS:
        require_tool(tool)
    here = Path(__file__)
    return [
        hash_files([
            here, *map(here.with_name, ("toolchain.py", "edges.py")), *here.with_name("parts").glob("*.*"),
        ]),
        tool_version("verilator"), tool_version("g++"), cpu_flags(), FAST, EXACT, f"parts {PARTS}",
    ]


def verilog_modules(component: wiring.Component, name: str, one_port: bool = False) -> dict[str, str]:
    """Verilog of each module of a component; its own is ``mho_`` and ``name``, and its reset is high.

    ``one_port`` is as of :func:`mho.rtl_gen.verilog.netlist.emit`.
    """
    return emit(component, name=f"mho_{name}", prefix="mho_", reset_low=False, one_port=one_port)


def verilog_text(component: wiring.Component, name: str) -> str:
    """The modules of :func:`verilog_modules` as one text."""
    return "\n".join(verilog_modules(component, name).values())


def verilate(
    folder: Path, sources: Sequence[Path], *, top: str, options: Sequence[str] = (), cflags: str = "",
    ldflags: str = "", fast: str = FAST, slow: str = "",
) -> Path:
    """Compile Verilog and C++ to the program ``folder / "simulator"``; its log is ``build.log`` there.

    Parameters
    ----------
    folder
        Where it is built; the C++ compiler finds headers there.
    sources
        Verilog, configuration of Verilator, and C++ with the main program, in which the top is the class ``Vtop``;
        headers too.
    top
        Name of the top module.
    options
        Of Verilator, beside those for speed. With ``--hierarchical`` each module marked as ``hier_block`` is compiled
        apart, once for all of its instances, if no name of a folder has a blank.
    cflags, ldflags
        Options of the C++ compiler and of the linker.
    fast, slow
        How the C++ compiler optimises what runs in every cycle, and what runs once.
    """
    options = ["--exe", "-o", "../simulator", *(["-LDFLAGS", ldflags] if ldflags else []), *options]
    objects = _make(folder, sources, top=top, name="Vtop", options=options, cflags=cflags, fast=fast, slow=slow)
    shutil.rmtree(objects)
    return folder / "simulator"


def archive(
    folder: Path, sources: Sequence[Path], *, top: str, name: str, options: Sequence[str] = (), fast: str = FAST,
    constant: Sequence[str] = (), waves: bool = False,
) -> Path:
    """Compile Verilog to a model for another program: its archive, beside its headers, which start with ``name``.

    Parameters are as of :func:`verilate`; ``name`` is that of the class, ``constant`` are ports that never change. The
    functions of Verilator's own library come with the program that takes it. ``NAME__Edge.h`` is the header of
    :func:`mho.sim.build.edges.edge_sources`, whose C++ is in the archive; what it replaces is not optimised. With
    ``waves`` the model is traced and evaluated whole, so that no change of a signal is lost; see
    :mod:`mho.sim.build.edges`.
    """
    options = ["--output-split-cfuncs", str(PART), *(["--trace-fst"] if waves else []), *options]

    def written(objects: Path) -> bool:
        if waves:
            name_scopes(objects, name)
        return _take_edge(objects, name, constant, parts=PARTS and not waves)

    objects = _make(
        folder, sources, top=top, name=name, options=options, cflags="", fast=fast, slow="-O1",
        written=written,
    )
    for path in (*objects.glob(f"{name}*.h"), objects / f"{name}__ALL.a"):
        shutil.copyfile(path, folder / path.name)
    shutil.rmtree(objects)
    return folder / f"{name}__ALL.a"


def _take_edge(objects: Path, name: str, constant: Sequence[str], *, parts: bool) -> bool:
    """Write the clock edge beside the model, and have it compiled; whether the model's own is of no use then."""
    code = {path.stem: path.read_text(encoding="utf-8") for path in sorted(objects.glob(f"{name}*.cpp"))}
    header = (objects / f"{name}___024root.h").read_text(encoding="utf-8")
    sources = edge_sources("".join(code.values()), header, name, constant, parts)
    for file, text in sources.items():
        (objects / file).write_text(text, encoding="utf-8")
    stems = [file.removesuffix(".cpp") for file in sources if file.endswith(".cpp")]
    if stems:
        classes = objects / f"{name}_classes.mk"
        text = classes.read_text(encoding="utf-8")
        for source in (file for file, written in code.items() if "___nba_" in written):
            text = text.replace(f"\t{source} \\\n", "")
            text += f"VM_CLASSES_SLOW += {source}\n"
        classes.write_text(f"{text}VM_CLASSES_FAST += {' '.join(stems)}\n", encoding="utf-8")
    return bool(stems)


def _make(
    folder: Path, sources: Sequence[Path], *, top: str, name: str, options: Sequence[str], cflags: str, fast: str,
    slow: str, written: Callable[[Path], bool] | None = None,
) -> Path:
    """Run Verilator and compile what it wrote; the folder with the objects.

    ``written`` is called between the two, and says whether all that Verilator wrote is slow.
    """
    verilator, _, make = (require_tool(tool) for tool in _TOOLS)
    objects = folder / "objects"
    objects.mkdir()
    for path in sources:
        if path.suffix == ".h":
            (objects / path.name).symlink_to(path.absolute())
    if not is_plain(objects.absolute()):
        # Names of folders in Verilator's makefile of blocks are absolute: they are compiled with the top.
        options = [option for option in options if option != "--hierarchical"]
    # All names are relative and without blanks, which make does not take, nor those of the folder where it runs.
    command = [
        verilator, "--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal",
        "-Wno-lint", "-Wno-style", "--prefix", name, "--top-module", top, "--Mdir", ".",
        "-CFLAGS", f"-std=c++17 -I.. {cflags}".strip(), *options,
        *nearby([path for path in sources if path.suffix != ".h"], objects, folder),
    ]
    run_logged(command, folder / "build.log", "verilator", cwd=objects)
    if written is not None and written(objects):
        slow = UNOPTIMISED
    # Given to make, since Verilator appends its own -Os behind -CFLAGS.
    flags = [f"OPT_FAST={fast}", f"OPT_GLOBAL={fast}", f"OPT_SLOW={slow}"]
    command = [make, "-j", "2", "CURDIR=.", *flags]
    for block in objects.glob("V*/V*.mk"):
        if block.stem == block.parent.name:
            blocks = [*command, "-C", block.stem, "-f", block.name]
            run_logged(blocks, folder / "build.log", _COMPILER, cwd=objects)
    command += ["-f", f"{name}.mk"]
    if _LEVEL != "-O2" or sum(path.stat().st_size for path in objects.glob(f"{name}*.cpp")) < ONE_PIECE:
        command.append("VM_PARALLEL_BUILDS=0")
    if "--exe" in options:
        take_runtime(objects, command)
    else:
        command.append(f"{name}__ALL.a")
    run_logged(command, folder / "build.log", _COMPILER, cwd=objects)
    return objects


def compile_verilator(
    folder: Path, sources: Sequence[Path], *, top: str, defines: Mapping[str, object],
    public: Sequence[tuple[str, str]], waves: bool = False, optimise: bool = True, asserts: bool = False,
) -> Path:
    """:func:`verilate` with cocotb's own main program, unmodified.

    ``public`` are the (module, signal) that cocotb may see; ``waves`` builds the tracing variant;
    without ``optimise`` the build is quicker and the simulator slower; ``asserts`` has assertions end it.
    """
    require_cocotb()
    from cocotb_tools import config

    control = folder / "public.vlt"
    control.write_text("`verilator_config\n" + "".join(f'public_flat_rd -module "{m}" -var "{v}"\n' for m, v in public))
    libraries = make_word(config.libs_dir)
    return verilate(
        folder, [config.share_dir / "lib" / "verilator" / "verilator.cpp", control, *sources], top=top,
        options=[
            "--vpi", "--timing", "--timescale", "1ps/1ps", "--converge-limit", "100000",
            *(["--trace-fst"] if waves else []), *(["--assert"] if asserts else []), *_defined(defines),
        ],
        cflags="-DVM_TRACE_FST=1" if waves else "",
        ldflags=f"-Xlinker -rpath -Xlinker {libraries} -L{libraries} -lcocotbvpi_verilator -rdynamic",
        fast=EXACT if optimise else UNOPTIMISED, slow="-O1",
    )


def compile_icarus(
    folder: Path, sources: Sequence[Path], name: str, *, top: str, defines: Mapping[str, object] = {},
    options: Sequence[str] = (),
) -> None:
    """Compile Verilog-2005 to the program ``folder / name`` of Icarus, with further ``options``."""
    objects = folder / "objects"
    objects.mkdir()
    command = [
        require_tool("iverilog"), "-g2005", *options, "-s", top, "-o", f"../{name}", *_defined(defines),
        *nearby(sources, objects, folder),
    ]
    run_logged(command, folder / "build.log", "iverilog", cwd=objects)
    shutil.rmtree(objects)


def _defined(defines: Mapping[str, object]) -> list[str]:
    return [f"-D{name}={value}" if value != "" else f"-D{name}" for name, value in defines.items()]
