"""A block of some hundred cells to GDS, and what is found where a layout is not its netlist."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError, ToolError
from mho.sim.layout.harden import harden
from mho.sim.layout.pdk import find_pdk
from mho.sim.layout.signoff import Layout
from mho.sim.layout.stages import STAGES, Stages

DATA = Path(__file__).parents[4] / "shared/data/ihp-sg13g2"
MISSING = [name for name, there in (
    ("the PDK", (DATA / "layout").is_dir()), ("klayout", shutil.which("klayout")), ("yosys", shutil.which("yosys")),
    ("openroad", importlib.util.find_spec("openroad") or shutil.which("openroad")),
) if not there]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not found; see mho doctor layout")
BLOCK = "op_check_limited"


@pytest.fixture(scope="module")
def pdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pdk")
    for path in (DATA / "layout").iterdir():
        if path.name != "lib":
            (folder / path.name).symlink_to(path)
    (folder / "lib").mkdir()
    for path in (*(DATA / "layout/lib").glob("*.lib.gz"), *DATA.glob("*.lib.gz")):
        if not (folder / "lib" / path.name).exists():
            (folder / "lib" / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def hardened(pdk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Layout]:
    folder = tmp_path_factory.mktemp("layout")
    return folder, harden(load_chip("tnsa16-core", {}), pdk, folder, module=BLOCK)


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
def test_a_block_is_clean(hardened: tuple[Path, Layout]) -> None:
    folder, layout = hardened
    assert layout.clean, layout
    assert layout.cells > 20
    assert 0.0 < layout.utilisation < 0.8
    for end in ("gds", "def", "v", "spef", "sdf", "lef", "lib", "png"):
        assert (folder / f"mho_{BLOCK}.{end}").stat().st_size > 1000
    assert set(layout.seconds) == {stage.name for stage in STAGES}


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
def test_what_is_done_is_not_done_again(pdk: Path, hardened: tuple[Path, Layout]) -> None:
    folder, layout = hardened
    begun: list[str] = []
    assert harden(load_chip("tnsa16-core", {}), pdk, folder, module=BLOCK, note=begun.append) == layout
    assert not begun


def faulty(database: str, top: str, fault: str) -> str:
    """A database of LVS in which the netlist's first two pins are swapped, or the layout's first signal is at no cell."""
    split = database.index("\nH(")
    layout, netlist = database[:split], database[split:]
    if fault == "cut":
        at = layout.index(f" X({top}\n")
        pins = re.finditer(r"^  P\(\d+ I\((.*)\)\)\n", layout[at:], re.MULTILINE)
        pin = next(pin for pin in pins if pin[1] not in ("VDD", "VSS"))
        return layout[: at + pin.start()] + f"  P(I({pin[1]}))\n" + layout[at + pin.end() :] + netlist
    at = netlist.index(f" X({top.upper()}\n")
    first, second = list(re.finditer(r"^  P\(\d+ I\((.*)\)\)$", netlist[at:], re.MULTILINE))[:2]
    swapped = netlist[at:].replace(first[0], first[0].replace(first[1], "AWAY"), 1)
    swapped = swapped.replace(second[0], second[0].replace(second[1], first[1]), 1)
    return layout + netlist[:at] + swapped.replace("I(AWAY)", f"I({second[1]})", 1)


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("fault", ["swapped", "cut"])
def test_pins_that_are_elsewhere_are_found(hardened: tuple[Path, Layout], tmp_path: Path, fault: str) -> None:
    """To transistors alone both are a match: pins are paired there by what hangs on them."""
    folder, layout = hardened
    for name in ("settings.json", "flow"):
        (tmp_path / name).symlink_to(folder / name)
    database = f"{layout.top}.lvsdb"
    (tmp_path / database).write_text(faulty((folder / database).read_text(), layout.top, fault))
    words = {"top": layout.top, "folder": str(tmp_path), "drc": "", "lvs": ""}
    Stages(tmp_path, words).run([stage for stage in STAGES if stage.name == "ports"], ["settings.json"])
    report = json.loads((tmp_path / "ports.json").read_text())
    assert not report["match"] or report["lost"]


@pytest.mark.parametrize(("text", "sentence"), [
    ("[files]\n", "files.technology must be a str"),
    ("[files", "TOML"),
])
def test_settings_of_a_process_that_are_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mho.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        find_pdk(tmp_path)


def test_settings_run_nothing(tmp_path: Path) -> None:
    shipped = Path("sim/layout/pdks/sg13g2.toml").read_text()
    (tmp_path / "mho.toml").write_text(shipped.replace('"CoreSite"', '"CoreSite; exec touch x"'))
    with pytest.raises(InputError, match="must be of letters"):
        find_pdk(tmp_path)
    (tmp_path / "mho.toml").write_text(shipped.replace('"pdn.tcl"', '"../pdn.tcl"'))
    with pytest.raises(InputError, match="within the PDK's folder"):
        find_pdk(tmp_path)


def test_a_folder_that_is_no_pdk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be the PDK of sg13g2, or have settings of its own"):
        find_pdk(tmp_path)
    (tmp_path / "a b").mkdir()
    with pytest.raises(ToolError, match="without blanks"):
        find_pdk(tmp_path / "a b")
