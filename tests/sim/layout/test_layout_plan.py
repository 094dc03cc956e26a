"""The outline of a block: macros lie within the rows, apart from each other, and cells find room."""

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.layout.block import Block, generate_block
from mho.sim.layout.macros import Macro, hardened, memory_macros, mended_liberty
from mho.sim.layout.pdk import Pdk
from mho.sim.layout.plan import edge_pins, write_outline
from mho.sim.layout.signoff import read_layout
from mho.sim.layout.stages import Stage, Stages

MARGIN_um, ROW_um = 17.28, 3.78
VIEWS: dict[str, Any] = {"lef": "m.lef", "liberty": {}, "netlist": "", "layout": "", "supplies": {}, "pins": 1000}


def with_macros(*macros: Macro) -> Block:
    return Block(
        top="top", sources=(), stubs=(), constraints="", macros=macros, clock_gate="", ports={},
        period_ns=10.0, inner="")


def outlined(folder: Path, block: Block, area: float | None, instances: list[tuple[str, str]]) -> dict[str, Any]:
    """Settings of a block whose synthesis left cells of an area, and macros by their cells and names."""
    counts: dict[str, float] = {"num_cells": 1} | ({} if area is None else {"area": area})
    (folder / "synth.json").write_text(json.dumps({"design": counts}))
    (folder / "synth.v").write_text("".join(f"  {cell} \\{name}  (\n" for cell, name in instances))
    return write_outline({"density": 0.6, "lane_um": 30.0}, block, folder)


@pytest.mark.parametrize("side", ["right", "left", "mesh"])
@pytest.mark.parametrize("area", [None, 2e3, 5e5, 5.02e5, 5.05e5])
@pytest.mark.parametrize("size", [(100.0, 246.0), (700.0, 90.0), (30.0, 900.0)])
@pytest.mark.parametrize("count", [0, 1, 3, 12])
def test_macros_lie_apart_and_inside(
    tmp_path: Path, area: float | None, size: tuple[float, float], count: int, side: str
) -> None:
    """Also of a module without cells, or with fewer of them than its macros are large."""
    block = with_macros(Macro(name="macro", side=side, width=size[0], height=size[1], **VIEWS))
    whole = outlined(tmp_path, block, area, [("macro", f"tile_{k % 4}_{k // 4}.macro") for k in range(count)])
    boxes = [(x, y, x + size[0], y + size[1]) for _, x, y, _ in whole["macros"]]
    assert [name for name, *_ in whole["macros"]] == [f"tile_{k % 4}_{k // 4}.macro" for k in range(count)]
    first, last = math.ceil(MARGIN_um / ROW_um), math.floor((whole["height"] - MARGIN_um) / ROW_um + 1e-6)
    for left, bottom, right, top in boxes:
        assert MARGIN_um <= left < right <= whole["width"] - MARGIN_um
        assert first * ROW_um <= bottom + 1e-6
        assert top <= last * ROW_um + 1e-6, "rows begin on their own grid"
    for number, (left, bottom, right, top) in enumerate(boxes):
        for box in boxes[:number]:
            assert right <= box[0] or box[2] <= left or top <= box[1] or box[3] <= bottom
    rows = (whole["width"] - 2 * MARGIN_um) * (whole["height"] - 2 * MARGIN_um)
    assert (area or 0.0) / 0.6 <= rows - count * size[0] * size[1]
    if side == "mesh" and count:
        right, lower = whole["home"]
        assert max(top for *_, top in boxes) < lower
        assert (area or 0.0) / 0.6 <= (right - MARGIN_um) * (whole["height"] - MARGIN_um - lower)
    else:
        assert not whole["home"]


@pytest.mark.parametrize("count", [3, 5, 8])
def test_wires_of_memories_behind_others_pass_beside_these(tmp_path: Path, count: int) -> None:
    """No wire crosses a memory: those of 360 pins, of which half are of a test, take some 80 um of two layers."""
    block = with_macros(Macro(name="m", side="left", width=784.0, height=100.0, **{**VIEWS, "pins": 360}))
    whole = outlined(tmp_path, block, 1.5e6, [("m", f"ram_{k}.m") for k in range(count)])
    beyond = {"R0": 0, "MX": 0}
    for turned, outwards in (("R0", -1), ("MX", 1)):
        rows = sorted((outwards * y, sum(other[2:] == [y, turned] for other in whole["macros"]))
                      for y in {y for _, _, y, way in whole["macros"] if way == turned})
        for _, number in rows:
            assert number == 1 or number * 784 + beyond[turned] * 80 < whole["width"] - 2 * MARGIN_um
            beyond[turned] += number
    assert sum(beyond.values()) == count
    first, last = math.ceil(MARGIN_um / ROW_um), math.floor((whole["height"] - MARGIN_um) / ROW_um)
    assert min(y for _, _, y, _ in whole["macros"]) - 5 >= (first + 1) * ROW_um, "a row lies beneath the lowest ones"
    assert max(y for _, _, y, _ in whole["macros"]) + 105 <= (last - 1) * ROW_um, "and one above the uppermost ones"
    for left, _, right, _ in whole["channels"][2:]:
        # Rows keep away from memories on both sides; pieces left over before another macro would have no supplies.
        assert any(left < x - 14 and x + 784 + 14 < right for _, x, _, _ in whole["macros"])


@pytest.mark.parametrize("count", [13, 18, 25])
def test_pins_of_many_memories_have_a_way_to_the_cells(tmp_path: Path, count: int) -> None:
    """They lie in columns: beneath each of them 80 um are free of macros, as far as the cells beside it."""
    width, height = 784.0, 100.0
    memory = Macro(name="m", side="left", width=width, height=height, **VIEWS)
    array = Macro(name="a", side="right", width=100.0, height=500.0, **VIEWS)
    memories = [("m", f"{'core' if k < 2 else f'unit_{k % 3}'}.ram_{k}.m") for k in range(count)]
    whole = outlined(tmp_path, with_macros(memory, array), 1.5e6, [("a", "core.array"), *memories])
    sizes = {name: (100.0, 500.0) if name == "core.array" else (width, height) for name, *_ in whole["macros"]}
    boxes = {name: (x, y, x + sizes[name][0], y + sizes[name][1]) for name, x, y, _ in whole["macros"]}
    middle = whole["width"] / 2
    assert sum(name != "core.array" for name in boxes) == count
    for name, (left, bottom, right, top) in boxes.items():
        if name == "core.array":
            continue
        for other in boxes.values():
            beside = other[0] < max(right, middle) and other[2] > min(left, middle)
            assert not (beside and other[1] < bottom and other[3] > bottom - 80 + 2 * ROW_um)
        assert top + 4 * ROW_um <= whole["height"] - MARGIN_um, "the ring of supplies goes around rows above it"
    assert len(whole["buffer_rows"]) == count - len({box[0] for name, box in boxes.items() if name != "core.array"})
    for name, left, bottom, right, top in whole["buffer_rows"]:
        x, y = boxes[name][:2]
        # Rows keep away from memories on both sides; pieces left over would have no supplies.
        assert x - 16 < left <= x
        assert (x + width + 14 < right, top) == (True, pytest.approx(y, abs=ROW_um))
        assert any(channel[3] == bottom and channel[2] == right for channel in whole["channels"])


def test_memories_of_a_module_are_together(tmp_path: Path) -> None:
    """And those of the array's lie above it: else their wires cross the block."""
    memory = Macro(name="m", side="left", width=784.0, height=100.0, **VIEWS)
    array = Macro(name="a", side="right", width=100.0, height=500.0, **VIEWS)
    memories = [("m", f"{('tile.load', 'core', 'tile.send')[k % 3]}.ram_{k}") for k in range(15)]
    whole = outlined(tmp_path, with_macros(memory, array), 1.2e6, [("a", "core.array"), *memories])
    right = [name for name, x, _, _ in whole["macros"] if x > 500 and name != "core.array"]
    assert right
    assert right[-1].startswith("core.")
    modules = [name.rsplit(".", 1)[0] for name, *_ in whole["macros"] if name != "core.array"]
    changes = sum(before != after for before, after in itertools.pairwise(modules))
    assert changes <= 3


@pytest.mark.parametrize("left", ["", "[" * 100_000, "[]", '{"design": 3}', '{"key": 1}', "\0"])
def test_what_an_earlier_run_left_and_somebody_damaged(tmp_path: Path, left: str) -> None:
    """A sentence with the folder, and a stage whose mark is none is done again."""
    block = with_macros()
    (tmp_path / "synth.json").write_text(left)
    with pytest.raises(InputError, match=f"^{tmp_path}: is no folder of a layout, or is damaged"):
        write_outline({"density": 0.6, "lane_um": 30.0}, block, tmp_path)
    (tmp_path / "finish.log").write_text(left)
    (tmp_path / "ports.json").write_text(left)
    with pytest.raises(InputError, match=f"^{tmp_path}: "):
        read_layout(tmp_path, "top", "process", (1, 1.0, 1.0, 1.0), {})
    (tmp_path / "done").mkdir()
    stage = Stage(name="stamp", does="a stamp", command=("touch", "stamp"), writes="stamp")
    for _ in range(2):
        (tmp_path / "done/stamp.json").write_text(left)
        Stages(tmp_path, {}).run([stage], [])
        assert json.loads((tmp_path / "done/stamp.json").read_text())["key"]


@pytest.mark.slow
def test_a_block_is_a_module_and_those_in_it(tmp_path: Path) -> None:
    pdk = Pdk(name="p", folder=tmp_path, files={}, corners={}, cells={}, routing={}, memories={}, fill=[])
    block = generate_block(load_chip("tnsa16-core", {}), pdk, tmp_path, part="core", module="write_verify")
    assert {Path(path).stem for path in block.sources} >= {"write_verify", "decision", "fault_map"}
    assert not {"core", "sequencer", "mask_store"} & {Path(path).stem for path in block.sources}


def test_memories_are_those_that_the_verilog_names(tmp_path: Path) -> None:
    """Views, supplies and size are those of the process's folder; a view that is not there is named."""
    for end in ("lef", "lib", "gds", "cdl"):
        (tmp_path / end).mkdir()
        for corner in ("slow", "typ", "fast") if end == "lib" else ("",):
            (tmp_path / end / f"RAM_64x8{corner}.{end}").touch()
    (tmp_path / "lef/RAM_64x8.lef").write_text(
        "MACRO RAM_64x8\n  SIZE 20.5 BY 10 ;\n  PIN A[0]\n    USE SIGNAL ;\n  END A[0]\n"
        "  PIN VDD!\n    USE POWER ;\n  END VDD!\n  PIN VSS\n    USE GROUND ;\n  END VSS\n")
    memories = {"prefix": "RAM_", "lef": "lef", "layouts": "gds", "netlists": "cdl", "models": "lib", "liberty": "lib",
                **{corner: f"{corner}.lib" for corner in ("slow", "typ", "fast")}}
    pdk = Pdk(name="p", folder=tmp_path, files={}, corners={}, cells={}, routing={}, memories=memories, fill=[])
    (macro,) = memory_macros(pdk, ["RAM_64x8 m (.A(a));", "RAM_64x8 n (.A(a));", "PROGRAM_1 p ();"], tmp_path)
    assert (macro.name, macro.side, macro.width, macro.height) == ("RAM_64x8", "left", 20.5, 10.0)
    assert macro.supplies == {"VDD!": "power", "VSS": "ground"}
    assert macro.liberty["fast"] == str(tmp_path / "lib/RAM_64x8fast.lib")
    with pytest.raises(InputError, match="must have the file lef/RAM_1"):
        memory_macros(pdk, ["RAM_1 m ();"], tmp_path)


def test_loads_in_farads_are_taken_as_such_and_fan_out_of_all_cells_goes(tmp_path: Path) -> None:
    """A Liberty file of a process says 6.4e-14 where its unit is pF: nothing could be driven."""
    path = tmp_path / "cells.lib"
    path.write_text("library (l) {\n  default_max_fanout : 8;\n  default_max_capacitance : 0.3;\n}\n")
    (tmp_path / "cells").mkdir()
    mended = Path(mended_liberty(path, tmp_path / "cells")).read_text()
    assert mended == "library (l) {\n  default_max_capacitance : 0.3;\n}\n"
    for said, kept in (('"6.4e-14"', "0.064"), ("0.3", "0.3"), ("1e-3", "1e-3")):
        path = tmp_path / "ram.lib"
        path.write_text(f"pin (Q) {{ max_capacitance : {said} ; }}\n")
        (tmp_path / "out").mkdir(exist_ok=True)
        assert f"max_capacitance : {kept} ;" in Path(mended_liberty(path, tmp_path / "out")).read_text()


def test_pins_of_a_link_lie_across_from_each_other() -> None:
    ports = {"clk": 1, "irq": 2, "direction": 3}
    for side in ("north", "south", "east", "west"):
        for way in "io":
            ports |= {f"{side}_{way}_payload": 3, f"sum_{side}_{way}_valid": 1, f"{side}_{way}_ready": 1}
    edges = edge_pins(ports)
    assert set(edges["top"]) == {name for port, width in ports.items() if "north" in port
                                 for name in ([f"{port}[{k}]" for k in range(width)] if width > 1 else [port])}
    for edge, side, across, other in (("top", "north", "bottom", "south"), ("right", "east", "left", "west")):
        for pin, facing in zip(edges[edge], edges[across], strict=True):
            swapped = re.sub("_([io])_", lambda way: {"i": "_o_", "o": "_i_"}[way[1]], pin)
            assert swapped.replace(side, other) == facing
    assert not any(edge_pins({"clk": 1, "north": 4, "data_i_north": 1}).values())


def test_a_folder_that_is_no_layout_is_no_abstract(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("settings.json")):
        hardened(tmp_path, tmp_path)
    for settings in ("{}", "[]", '{"top": "a b"}'):
        (tmp_path / "settings.json").write_text(settings)
        with pytest.raises(InputError, match="its top module must be of letters"):
            hardened(tmp_path, tmp_path)
    (tmp_path / "settings.json").write_text('{"top": "tile"}')
    with pytest.raises(InputError, match=re.escape("must have tile.lef, tile.lib and tile.fast.lib of mho harden")):
        hardened(tmp_path, tmp_path)
