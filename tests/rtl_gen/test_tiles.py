"""A whole chip of tiles and one of its tiles: complete, each module once, accepted by tools, its bench passes."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddressableNode, AddrmapNode

from mho.hw.chip.map import ChipParts
from mho.hw.config import load_chip
from mho.rtl_gen import GenerationReport, generate
from tests.rtl_gen.test_generate import run_bench

STUB = "stubs/tnsa_macro.v"


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> GenerationReport:
    return generate(load_chip("tnsa16-2x2"), tmp_path_factory.mktemp("chip"))


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> GenerationReport:
    return generate(load_chip("tnsa16-2x2"), tmp_path_factory.mktemp("tile"), part="tile")


def _modules(report: GenerationReport) -> dict[str, str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted((report.directory / "rtl").glob("*.v"))]
    names = [re.findall(r"^module (\w+)", text, re.MULTILINE) for text in texts]
    assert all(len(declared) == 1 for declared in names)
    return {declared[0]: text for declared, text in zip(names, texts, strict=True)}


@pytest.mark.slow
def test_folder_of_a_chip_is_complete(chip: GenerationReport) -> None:
    top = "mho_chip_wb"
    assert (chip.top, chip.part, chip.wrap) == (top, "chip", "wishbone")
    paths = {file.path for file in chip.files}
    assert {f"{top}.{end}" for end in ("f", "core", "sdc", "vlt", "upf")} < paths
    assert {f"regs/{top}.{end}" for end in ("rdl", "md", "h")} < paths
    assert {STUB, "README.md", "tb/program.py", "tb/first.s", "tb/second.s", "tb/tnsa_macro.v"} < paths
    config = json.loads((chip.directory / "librelane/config.json").read_text())
    assert list(config["MACROS"]["tnsa_macro"]["instances"]) == [
        f"chip.tiles.tile_{x}_{y}.core.macro.macro" for y in (0, 1) for x in (0, 1)
    ]


@pytest.mark.slow
def test_tiles_are_one_module(chip: GenerationReport, tile: GenerationReport) -> None:
    modules, of_tile = _modules(chip), _modules(tile)
    assert len(re.findall(r"^  mho_core_tile tile_\d_\d \(", modules["mho_tile_mesh"], re.MULTILINE)) == 4
    assert sum(text.count("mho_core_tile ") for text in modules.values()) == 4 + 1
    # What is hardened once is the same bytes in the chip.
    assert {name: modules[name] for name in of_tile} == of_tile
    assert tile.top == "mho_core_tile"


@pytest.mark.slow
def test_documents_have_the_whole_address_map(chip: GenerationReport) -> None:
    map = ChipParts.from_chip(load_chip("tnsa16-2x2")).address_map
    compiler = RDLCompiler()
    compiler.compile_file(str(chip.directory / f"regs/{chip.top}.rdl"))
    (root,) = (node for node in compiler.elaborate().children() if isinstance(node, AddrmapNode))
    addresses = {f"{block.inst_name}.{entry.inst_name}": entry.absolute_address
             for block in root.children() for entry in block.children() if isinstance(entry, AddressableNode)}
    expected = {f"{block.name}.{entry.name}": block.base + entry.address
                for block in map.blocks for entry in block.map.entries}
    assert addresses == expected
    header = (chip.directory / f"regs/{chip.top}.h").read_text()
    values = dict(re.findall(r"^#define MHO_CHIP_WB_(\w+) (0x\w+)u", header, re.MULTILINE))
    for block in map.blocks:
        for entry in block.map.entries:
            offset = values[f"{block.map.name.upper()}_{entry.name.upper()}"]
            assert int(values[block.name.upper()], 16) + int(offset, 16) == expected[f"{block.name}.{entry.name}"]


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
def test_tools_accept_both_without_a_word(chip: GenerationReport, tile: GenerationReport) -> None:
    for report in (chip, tile):
        top, rtl = report.top, (report.directory / f"{report.top}.f").read_text().split()
        lint = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", STUB,
                "--top-module", top]
        script = f"read_verilog {' '.join(rtl)} {STUB}; hierarchy -check -top {top}; proc; check -assert"
        for command in (lint, ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl, STUB], ["yosys", "-q", "-p", script]):
            run = subprocess.run(command, cwd=report.directory, check=False, capture_output=True, text=True)
            assert (run.returncode, run.stdout + run.stderr) == (0, ""), command[0]


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
def test_one_tile_has_wires_in_place_of_its_network(tmp_path: Path) -> None:
    """Lint clean, no module of a network between node and host, and its bench passes behind AXI4-Lite."""
    report = generate(load_chip("tnsa16-core", {"tile.programs": True}), tmp_path, wrap="axil")
    assert (report.top, report.part) == ("mho_chip_axil", "chip")
    modules = _modules(report)
    router = modules["mho_lone_router"]
    assert not re.search(r"\b(reg|always|clk)\b", re.sub(r"//.*", "", router))
    assert not {name for name in modules if re.search(r"mho_(router|input_unit|reduction|adder)", name)}
    assert "place" not in modules["mho_core_tile"]
    test_tools_accept_both_without_a_word(report, generate(
        load_chip("tnsa16-core", {"tile.programs": True}), tmp_path / "tile", part="tile"))
    assert "TESTS=1 PASS=1" in run_bench(tmp_path, ["make", "SIM=icarus"])


@pytest.mark.slow
@pytest.mark.cosim("iverilog")
@pytest.mark.parametrize("wrap", [pytest.param("none", marks=pytest.mark.long), "axil"])
def test_bench_of_a_chip_passes_from_unknown_states(wrap: str, tmp_path: Path) -> None:
    sizes = {"mesh.payload_bits": 32 if wrap == "axil" else 64, "mesh.rows": 1}
    chip = load_chip("tnsa16-2x2", {**sizes, "verilog.test": True})
    generate(chip, tmp_path, wrap=wrap)
    assert "TESTS=1 PASS=1" in run_bench(tmp_path, ["make", "SIM=icarus"])


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_tiles_of_several_kinds_are_modules_of_their_own(chip: GenerationReport, tmp_path: Path) -> None:
    """Verilator takes it as it is; what the first kind is made of is the same text as where all are alike."""
    sizes = {"tile.at.1,0.buffer_kib": 32, "tile.at.*,1.lanes": 8}
    design = generate(load_chip("tnsa16-2x2", sizes), tmp_path / "chip")
    modules, alike = _modules(design), _modules(chip)
    instances = re.findall(r"^  (mho_core_tile\w*) (tile_\d_\d) \(", modules["mho_tile_mesh"], re.MULTILINE)
    assert dict(map(reversed, instances)) == {
        "tile_0_0": "mho_core_tile", "tile_1_0": "mho_core_tile_buffer_kib_32", "tile_0_1": "mho_core_tile_lanes_8",
        "tile_1_1": "mho_core_tile_lanes_8"}
    different = {name for name, text in alike.items() if modules.get(name) != text}
    # Registers have the hash of the description.
    assert {name for name in different if not name.startswith("mho_register_bank")} == {"mho_tile_mesh"}
    files = [design.directory / "rtl" / path.name for path in (design.directory / "rtl").glob("*.v")]
    subprocess.run(["verilator", "--lint-only", "-Wno-fatal", "--top-module", design.top, *map(str, files),
                    str(design.directory / STUB)], check=True, capture_output=True)
    tile = generate(load_chip("tnsa16-2x2", sizes), tmp_path / "tile", part="tile", tile="0,1")
    assert tile.top == "mho_core_tile_lanes_8"
    assert _modules(tile)[tile.top] == modules[tile.top]
