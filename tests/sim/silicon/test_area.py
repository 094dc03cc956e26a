"""Area by block, where the open library that it is made with is at hand."""

import re
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.area import Netlist, chip_area, synthesise
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.synthesis.blocks import macro_stub, tool_text, without_comments

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT.parent / "shared/data/ihp-sg13g2/sg13g2_stdcell_typ_1p20V_25C.lib.gz"

pytestmark = [
    pytest.mark.cosim("yosys"), pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there"),
]


@pytest.fixture(scope="module")
def synthesised() -> tuple[Netlist, Library]:
    """A small core without bus and write-verify; its netlists are kept in the cache, as those of reports."""
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    library = Library(LIBRARY)
    modules = without_comments(module_texts(chip, "none"))
    return synthesise(modules, chip.verilog.prefix, library, library), library


@pytest.mark.slow
def test_blocks_add_up_to_the_netlist(synthesised: tuple[Netlist, Library], tmp_path: Path) -> None:
    """All netlists joined, as Yosys counts them with their instances."""
    netlist, library = synthesised
    left_out = {name: text for name, text in netlist.modules.items() if name in netlist.memory_bits}
    boxes = [re.sub(r"^module", "(* blackbox *)\nmodule", text, flags=re.MULTILINE) for text in left_out.values()]
    adapter = next(text for name, text in netlist.modules.items() if "macro_adapter" in name)
    (tmp_path / "boxes.v").write_text("\n".join([*boxes, macro_stub(adapter)]))
    reads = "\n".join(f"read_verilog {path}" for path in netlist.netlists.values())
    (tmp_path / "all.ys").write_text(
        f"read_liberty -lib {library.path}\nread_verilog -lib boxes.v\n{reads}\nhierarchy -top {netlist.top}\n"
        f"tee -q -o stat stat -liberty {library.path}\n"
    )
    tool_text(["yosys", "-q", "all.ys"], tmp_path)
    total = re.findall(r"Chip area for top module .*: *([\d.]+)", (tmp_path / "stat").read_text())
    assert sum(block.buffered for block in netlist.blocks("mho_")) == pytest.approx(float(total[0]), rel=1e-6)


def test_what_is_no_library_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.lib"
    wrong.write_text("library (none) { }")
    with pytest.raises(InputError, match=r"wrong\.lib: must be a Liberty file with cells; none is there"):
        Library(wrong)
    wrong.write_bytes(b"\x1f\x8b junk")
    with pytest.raises(InputError, match=r"wrong\.lib"):
        Library(wrong)


@pytest.mark.slow
def test_tiles_of_several_kinds_are_all_counted() -> None:
    """One tile where they are alike, else all; of eight lanes six have neither sums nor tables, of four two."""
    sizes = {"programming.engine": False}
    alike = chip_area(load_chip("tnsa16-2x2", sizes), LIBRARY)
    kinds = chip_area(load_chip("tnsa16-2x2", {**sizes, "tile.at.1,0.lanes": 8}), LIBRARY)
    assert (alike["what"], kinds["what"]) == (
        "one tile, of which all are alike", "all 4 tiles, of 2 kinds, and what is around them")
    alike_blocks, kinds_blocks = ({block["module"]: block for block in area["blocks"]} for area in (alike, kinds))
    assert (alike_blocks["lane"]["instances"], kinds_blocks["lane"]["instances"]) == (2, 3 * 2 + 6)
    assert kinds_blocks["lane"]["area"] == pytest.approx(6 * alike_blocks["lane"]["area"])
    assert (kinds_blocks["load_engine"]["instances"], kinds_blocks["load_engine_lanes_8"]["instances"]) == (3, 1)
    assert kinds["area_mm2"] == pytest.approx(sum(block["area"] for block in kinds["blocks"]) / 1e6)
    assert 4 * alike["area_mm2"] < kinds["area_mm2"] < 5 * alike["area_mm2"]
