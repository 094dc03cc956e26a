"""Every operator on tiles: ``python -m tests.compiler.tile.operators_on_tiles`` writes the page."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.importer.operators import OPERATORS
from mho.compiler.passes import compile_for_chip
from mho.compiler.program import Call
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.operator_models import INPUTS, model_of
from tests.compiler.importer.operator_table import GROUPS
from tests.compiler.tile.interpreted import result_of
from tests.compiler.tile.network_bench import compare

__all__ = ["DEVICE", "FIRST", "IMAGES", "PAGE", "compiled", "outcome", "page", "page_of", "rows"]

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "tile-operators.md"
SIDE = 4
"""Tiles of a row and of a column."""
IMAGES, FIRST = 2, 3
"""Images, and the number of the first."""
DEVICE = "rram-neurram"
RUNS = "runs"

_HEAD = """\
# Operators on tiles

<!-- Written by `python -m tests.compiler.tile.operators_on_tiles`; a test compares it with the compiler. -->

Every operator of [the list](operators.md) runs between two layers on the tiles of a chip, here 4 x 4 tiles of 16 lines
(`tests/compiler/importer/operator_models.py`). Of those below the host does a part between the two layers, while tiles
are at work on other images. All give the same lanes on the functional backend and on the interpreter of tiles, and so
do the tiles in Verilog (`tests/sim/tile_networks/test_tile_operators_verilog.py`).
"""


def compiled(kind: str) -> tuple[Network, NDArray[np.float32], list[int]]:
    """The model of an operator for tiles, inputs, and the values of its layers: of all a tile could not send each.

    Raises
    ------
    InputError
        If tiles cannot run it.
    """
    chip = load_chip("tnsa16-2x2", {"mesh.columns": SIDE, "mesh.rows": SIDE})
    x = np.random.default_rng(0).uniform(-1, 1, (16, INPUTS)).astype("f4")
    network = compile_for_chip(model_of([kind]), chip, calibrate=x, options=CompileOptions(seeds=1, samples=8))
    layers = [k + 1 for k, stage in enumerate(network.program.stages) if isinstance(stage.operation, Call)]
    return network, x[:IMAGES], layers


def outcome(kind: str) -> str:
    """What became of the model of an operator.

    Raises
    ------
    AssertionError
        If tiles have other lanes than every other backend.
    """
    try:
        network, x, layers = compiled(kind)
        programs, values, expected = compare(network, x, device=DEVICE, first=FIRST, watched=layers)
    except InputError as error:
        return str(error)
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"{kind}: value {value}")
    last = result_of(programs, network.program.input.compute(x), values)
    np.testing.assert_array_equal(last, expected[-1], err_msg=kind)
    between = [network.program.stages[k].name for k in programs.placed.graph.split.between]
    return f"{RUNS}, {' and '.join(dict.fromkeys(between))} at the host" if between else RUNS


_NOWHERE = "nowhere when a network has been read"


_WHOLE = "The host does the whole of "


def rows() -> dict[str, str]:
    """What the page says of each operator."""
    lines = PAGE.read_text().splitlines()
    cells = [line.strip("| ").split(" | ", 1) for line in lines if line.startswith("| `")]
    cells += [[f"`{name}`", name] for line in lines if line.startswith(_WHOLE) for name in re.findall(r"`(\w+)`", line)]
    place = {name for names in GROUPS.values() for name in names}
    texts = {name: RUNS if name in place else _NOWHERE for _, operators in OPERATORS.values() for name in operators}
    return texts | {name.strip("`"): f"{RUNS}, {host} at the host" for name, host in cells}


def page() -> str:
    """The page as Markdown."""
    place = sorted(name for names in GROUPS.values() for name in names)
    return page_of({name: outcome(name).removeprefix(f"{RUNS}, ").removesuffix(" at the host") for name in place})


def page_of(hosts: dict[str, str]) -> str:
    """The page with what the host does of each operator."""
    whole = f"{_WHOLE}{', '.join(f'`{name}`' for name, host in hosts.items() if host == name)}.\n"
    rows = [f"| `{name}` | {host} |\n" for name, host in hosts.items() if host not in (RUNS, name)]
    return f"{_HEAD}\n{whole}\n| operator | at the host |\n|---|---|\n{''.join(rows)}"


if __name__ == "__main__":
    PAGE.write_text(page())
