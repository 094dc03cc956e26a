"""Proofs of the contract of the macro's pins, on the generated Verilog of a core: Yosys and ABC's reachability engine.

A run is any from power-on with a reset in its first cycle, with any inputs, resets and answers of the macro after that.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.emit import boundary, module_texts
from mho.rtl_gen.kinds.tnsa import write_contract
from tests.proofs.solver import run, tool

__all__ = ["ContractProof", "Edit", "edit_file", "prove_contract"]

Edit = Callable[[str, str], str]
"""Changes the Verilog of a module, given by its name and its text: a planted fault."""

_SCRIPT = """
read_verilog -sv -formal *.v *.sv
prep -top proof -flatten
memory_map
async2sync
chformal -cover -remove
opt -full
opt_clean -purge
tee -q -o claims select -list t:$assert
setundef -anyseq
dffunmap
techmap
abc -g AND -fast
opt_clean
write_aiger -I -B -zinit -no-startoffset proof.aig
"""
_ENGINE = "read_aiger proof.aig; fold; strash; scorr; pdr -a -H {each} -T {limit}"


@dataclass(frozen=True)
class ContractProof:
    """Which assertions hold for ever, which do not, and of which that is not known; processor time in s."""

    holds: frozenset[str]
    fails: frozenset[str]
    unknown: frozenset[str]
    seconds: float


def prove_contract(
    chip: Chip, *, edit: Edit | None = None, fixed: Mapping[str, int] | None = None, each: float = 20.0,
    limit: float = 240.0,
) -> ContractProof:
    """Prove the assertions of the contract for a chip's core.

    Parameters
    ----------
    chip
        The chip; short durations and few lines are proven sooner.
    edit
        Changes modules before that.
    fixed
        Inputs of the core that have one value, all others have any.
    each, limit
        Seconds for one assertion and for all of them.

    Raises
    ------
    ToolError
        If a program is missing or refuses the design.
    """
    yosys, abc = tool("yosys"), tool("yosys-abc")
    with Workspace("contract") as folder:
        for name, text in _design(chip, fixed or {}).items():
            (folder / name).write_text(edit(name, text) if edit else text, encoding="utf-8")
        code, printed, spent = run([yosys, "-q", "-p", _SCRIPT], folder, limit, yosys)
        if code != 0:
            raise ToolError(f"yosys refuses the design: {(printed.strip().splitlines() or ['out of time'])[-1]}")
        claims = [line.rpartition(".")[2] for line in (folder / "claims").read_text(encoding="utf-8").split()]
        command = _ENGINE.format(each=round(1000 * each), limit=round(limit))
        _, printed, seconds = run([abc, "-c", command], folder, limit + 30, abc)
    match = re.search(r"Disproved = (\d+)", printed)
    if match is None:
        raise ToolError(f"yosys-abc broke off: {(printed.strip().splitlines() or ['no output'])[-1]}")
    holds, late = (_named(rf"{words} output +(\d+) ", printed, claims) for words in ("Proved", "Timing out on"))
    # Those that are refuted have no line of their own: they are what is left, if their number is right.
    left = frozenset(claims) - holds - late
    fails = left if len(left) == int(match[1]) else frozenset()
    return ContractProof(holds, fails, frozenset(claims) - holds - fails, spent + seconds)


def _named(pattern: str, printed: str, claims: list[str]) -> frozenset[str]:
    return frozenset(claims[int(number)] for number in re.findall(pattern, printed))


def _design(chip: Chip, fixed: Mapping[str, int]) -> Mapping[str, str]:
    """Files: the core with the contract in it, a macro that answers anything, and a top without outputs."""
    modules = module_texts(chip, "none", own_macro=False)
    core, adapter = next(iter(modules)), boundary(chip, chip.verilog.prefix)
    contract, binding = write_contract(chip, core, modules[core], adapter, "contract").split("\nbind ")
    supplies = re.compile(r"`ifdef USE_POWER_PINS.*?`endif\n", re.DOTALL)
    plain = {name: supplies.sub("", text) for name, text in modules.items()}
    plain[core] = plain[core].replace("\nendmodule", f"\n  {binding.partition(' ')[2]}\nendmodule")
    plain[adapter] = _free(plain[adapter])
    plain |= {"proof": _top(core, plain[core], core_blocks(chip).trim, fixed)}
    return {f"{name}.v": text for name, text in plain.items()} | {"contract.sv": contract}


def _head(text: str) -> str:
    return text[: text.index("\n);") + 3]


def _free(text: str) -> str:
    """A module whose outputs are anything in each cycle."""
    head = _head(text)
    outputs = re.findall(r"output wire (\[[^\]]*\] )?(\w+)", head)
    body = "".join(f"  (* anyseq *) reg {size}any_{name};\n  assign {name} = any_{name};\n" for size, name in outputs)
    return f"{head}\n{body}endmodule\n"


def _top(core: str, text: str, trim: int | None, constants: Mapping[str, int]) -> str:
    """Any inputs but ``constants`` and the durations: those of the description, which the contract has too."""
    declared = re.findall(r"^  input  wire (\[[^\]]*\] )?(\w+)", _head(text), re.MULTILINE)
    inputs = [(size, name) for size, name in declared if name != "trim" and name not in constants]
    names = [name for _, name in inputs]
    reset = "~rst_n" if "rst_n" in names else "rst"
    ports = ",\n".join(f"  input wire {size}{name}" for size, name in inputs)
    fixed = [f".{name}({value})" for name, value in constants.items()]
    fixed += [] if trim is None else [f".trim({trim.bit_length()}'d{trim})"]
    connections = ", ".join([*(f".{name}({name})" for name in names), *fixed])
    return (
        f"module proof (\n{ports}\n);\n  {core} core ({connections});\n  reg started = 1'b0;\n"
        f"  always @(posedge clk) started <= 1'b1;\n  always @* assume (started | {reset});\nendmodule\n"
    )


def edit_file(name: str, old: str, new: str) -> Edit:
    """A fault: the text ``old``, which must be there once, becomes ``new`` in the module that ends in ``name``."""

    def edit(module: str, text: str) -> str:
        if not Path(module).stem.endswith(name):
            return text
        if text.count(old) != 1:
            raise ToolError(f"{module} must have {old!r} once, not {text.count(old)} times")
        return text.replace(old, new)

    return edit
