"""Macros that are wrong in one thing: the ideal model of a kind behind wrong wires, and with another law inside."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mho.hw.config import Chip, MacroSection
from mho.hw.kinds import core_blocks
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.contract import contract_signals

__all__ = ["Mutant", "mutant_chip"]

_CALL = re.compile(r"(turned|next)\((\w+)\)")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One of them.

    Attributes
    ----------
    pins
        What a signal of the contract is instead, in Verilog; ``inner_NAME`` is what the model drives, ``late_NAME`` a
        signal a cycle later, ``turned(NAME)`` and ``next(NAME)`` its bits in another order.
    law
        Expressions of the model that are others.
    said
        Part of what verification says of it.
    quick
        Whether it is tried each time; the others before a release.
    """

    pins: Mapping[str, str] = field(default_factory=dict)
    law: Sequence[tuple[str, str]] = ()
    said: str = ""
    quick: bool = False


def mutant_chip(chip: Chip, mutants: Sequence[Mutant], folder: Path) -> Chip:
    """``chip`` with all of them as its own macro, of which the plusarg ``mutant`` chooses one from 1 on, 0 none."""
    signals = contract_signals(core_blocks(chip).pins)
    text = macro_texts_of(chip).model("start_macro", replace(chip, macro=None))
    for number, mutant in enumerate(mutants, 1):
        for right, wrong in mutant.law:
            assert text.count(right) >= 1, right
            text = text.replace(right, f"(mutant == {number} ? ({wrong}) : ({right}))")
    chosen = '  integer mutant;\n  initial if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;\n'
    head, body = text.split("\n);\n", 1)
    (folder / "mutants.v").write_text(f"{head}\n);\n{chosen}{body}{_wires(signals, mutants, chosen)}")
    pins: dict[str, str | int | list[str]] = {name: name for name in signals}
    macro = MacroSection(module="mutant_macro", files=("mutants.v",), pins=pins)
    return replace(chip, macro=macro, folder=folder)


def _wires(signals: Mapping[str, tuple[int, bool]], mutants: Sequence[Mutant], chosen: str) -> str:
    widths = {name: width for name, (width, _) in signals.items()}
    widths |= {f"inner_{name}": width for name, (width, driven) in signals.items() if driven}

    def ordered(call: re.Match[str]) -> str:
        bits = [f"{call[2]}[{k}]" for k in range(widths[call[2]])]
        return f"{{{', '.join(bits if call[1] == 'turned' else [*bits[-2::-1], bits[-1]])}}}"

    def chosen_of(signal: str, right: str) -> str:
        for number, mutant in enumerate(mutants, 1):
            if signal in mutant.pins:
                right = f"mutant == {number} ? ({_CALL.sub(ordered, mutant.pins[signal])}) : {right}"
        return right

    ports = [f"  {'output' if driven else 'input'} wire [{width - 1}:0] {name}"
             for name, (width, driven) in signals.items()]
    wires, late, inner = [], [], []
    for name, (width, driven) in signals.items():
        if driven:
            wires.append(f"  wire [{width - 1}:0] inner_{name};\n  assign {name} = {chosen_of(name, f'inner_{name}')};")
        else:
            wires.append(f"  wire [{width - 1}:0] wrong_{name} = {chosen_of(name, name)};")
            late.append(f"  reg [{width - 1}:0] late_{name} = 0;\n  always @(posedge clk) late_{name} <= {name};")
        inner.append(f".{name}({'inner' if driven else 'wrong'}_{name})")
    late = [text for text in late if "late_clk" not in text]
    newline = "\n"
    return f"""
module mutant_macro (
{f",{newline}".join(ports)}
);
{chosen}{newline.join(late)}
{newline.join(wires)}
  start_macro array ({", ".join(inner)});
endmodule
"""
