"""The network on chip alone: complete, each module once, accepted by the tools that will read it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen import generate


def _chip(columns: int = 3, rows: int = 2, **mesh: int) -> Chip:
    mesh |= {"columns": columns, "rows": rows}
    return load_chip("tnsa16-core", {f"mesh.{name}": value for name, value in mesh.items()})


def _modules(folder: Path) -> dict[str, str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "rtl").glob("*.v"))]
    names = [re.findall(r"^module (\w+)", text, re.MULTILINE) for text in texts]
    assert all(len(declared) == 1 for declared in names)
    return {declared[0]: text for declared, text in zip(names, texts, strict=True)}


@pytest.mark.slow
def test_folder_is_complete(tmp_path: Path) -> None:
    report = generate(_chip(), tmp_path / "out", part="noc")
    assert (report.top, report.wrap) == ("mho_noc", "none")
    paths = {file.path for file in report.files}
    assert {f"mho_noc.{end}" for end in ("f", "core", "sdc", "vlt")} < paths
    assert {f"regs/mho_node.{end}" for end in ("rdl", "md", "h")} < paths
    assert not any(path.startswith("stubs/") for path in paths)
    config = json.loads((tmp_path / "out" / "librelane" / "config.json").read_text())
    assert (config["DESIGN_NAME"], "MACROS" in config) == ("mho_noc", False)
    assert "stubs" not in (tmp_path / "out" / "mho_noc.core").read_text()


@pytest.mark.slow
def test_nodes_share_their_modules(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    generate(_chip(3, 2), small, part="noc", prefix="x_", top="mesh")
    generate(_chip(4, 2), large, part="noc", prefix="x_", top="mesh")
    few, many = _modules(small), _modules(large)
    # Widths of memories and queues depend on the sides, and a register says what they are.
    same = [{n for n in names if not re.search("mem_|fifo_|bank_", n)} for names in (few, many)]
    assert same[0] == same[1] >= {"mesh", "x_node"}
    assert all(name.startswith("x_") for name in few if name != "mesh")
    # As many instances as there are nodes, of one module.
    for nodes, modules in ((6, few), (8, many)):
        assert len(re.findall(r"^  x_node node_", modules["mesh"], re.MULTILINE)) == nodes
        # The top holds nodes, the host's port and wires: nothing that is clocked, nothing that is computed.
        assert set(re.findall(r"^  (x_\w+) \w+ \(", modules["mesh"], re.MULTILINE)) == {"x_node", "x_host_port"}
        assert not re.search(r"always|[&|^+]", modules["mesh"])


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
@pytest.mark.parametrize(
    "mesh", [{"payload_bits": 32, "contexts": 0}, {"columns": 9, "rows": 1, "fifo_depth": 2}]
)
def test_tools_accept_it_without_a_word(mesh: dict[str, int], tmp_path: Path) -> None:
    generate(_chip(**mesh), tmp_path, part="noc")
    rtl = (tmp_path / "mho_noc.f").read_text().split()
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", "mho_noc.vlt", "-F", "mho_noc.f", "--top-module", "mho_noc"]
    script = f"read_verilog {' '.join(rtl)}; hierarchy -check -top mho_noc; proc; check -assert"
    for command in (lint, ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl], ["yosys", "-q", "-p", script]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("chip", "options", "sentence"),
    [
        (_chip(1, 1), {}, "tnsa16-core: mesh.columns x mesh.rows must be at least two nodes for a network on chip, "
         "not 1 x 1"),
        (_chip(), {"wrap": "axil"}, "wrap must be none for part noc, whose nodes and host have streams, not 'axil'"),
        (_chip(), {"part": "node"}, "part must be one of core, noc, tile, chip, not 'node'"),
        (_chip(), {"part": "tile", "wrap": "axil"}, "wrap must be none for part tile, which its neighbours reach, not "
         "'axil'"),
        (_chip(1, 1), {"part": "chip"}, "tnsa16-core: mesh.columns x mesh.rows must be at least two nodes for a "
         "network on chip, not 1 x 1, or tile.programs = true for one tile"),
        (_chip(), {"top": "mho_router"}, "top must not be the name of an inner module, not 'mho_router'"),
    ],
)
def test_bad_option_is_refused(chip: Chip, options: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        generate(chip, tmp_path / "out", **({"part": "noc"} | options))  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())
