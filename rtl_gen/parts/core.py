"""One core, bare or behind a bus."""

from pathlib import Path

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.rtl_gen.c_driver import c_driver
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.parts.assembly import (
    contract_texts,
    macro_design,
    macro_texts,
    model_files,
    register_texts,
    with_readme,
)
from mho.rtl_gen.testbench import bench_files

__all__ = ["core_texts"]


def core_texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files by path."""
    modules = module_texts(chip, wrap, top=name, prefix=prefix)
    design, rtl = macro_design(
        chip, modules, name, prefix, what=f"Compute-in-memory core {chip.name}",
        cores=("" if wrap == "none" else "core.",), simulated=wrap != "uart",
    )
    texts = rtl | macro_texts(design, rtl)
    if wrap != "none":
        registers = core_blocks(chip).registers
        texts |= register_texts(registers, name)
        texts[f"regs/{name}_driver.h"] = c_driver(chip, name)
    texts |= contract_texts(chip, modules, name, prefix)
    if wrap != "uart":
        texts |= {f"tb/{path}": text for path, text in bench_files(design, wrap, model_files(chip, output)).items()}
    return with_readme(design, texts)
