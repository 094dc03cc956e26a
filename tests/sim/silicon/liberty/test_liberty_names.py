"""Liberty files of strangers: names that reach scripts, sizes, and folders with any path."""

import gzip
import time
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.liberty.boolean import truth
from mho.sim.silicon.liberty.library import LIBERTY, Library, liberty_text, parse_liberty
from mho.sim.silicon.memories.macro import read_memory_macros
from mho.sim.silicon.synthesis.blocks import Synthesis, without_comments

LIBRARY = Path(__file__).parents[5] / "shared/data/ihp-sg13g2/sg13g2_stdcell_typ_1p20V_25C.lib.gz"

CELLS = """library (small) {{
  capacitive_load_unit (1, pf);
  cell ({first}) {{ area : 2; pin (A) {{ direction : input; capacitance : 0.01; }}
    pin (Y) {{ direction : output; function : "A"; }} }}
  cell (inv) {{ area : 1; pin (A) {{ direction : input; capacitance : 0.01; }}
    pin (Y) {{ direction : output; function : "!A"; }} }}
  cell (nand) {{ area : 2; pin (A) {{ direction : input; capacitance : 0.01; }}
    pin (B) {{ direction : input; }} pin (Y) {{ direction : output; function : "!(A&B)"; }} }}
  cell (dff) {{ area : 6; ff (IQ, IQN) {{ clocked_on : "C"; next_state : "D"; }}
    pin (C) {{ direction : input; clock : true; }} pin (D) {{ direction : input; }}
    pin (Q) {{ direction : output; function : "IQ"; }} }}
  cell (gate) {{ clock_gating_integrated_cell : latch_posedge;
    pin ({clock}) {{ direction : input; clock_gate_clock_pin : true; }}
    pin (E) {{ direction : input; clock_gate_enable_pin : true; }}
    pin (G) {{ direction : output; clock_gate_out_pin : true; }} }}
}}
"""


@pytest.mark.parametrize("wrong", ["a\nexec touch pwned", "a; shell touch pwned", '"a b"', "$a", "[exec x]"])
@pytest.mark.parametrize("place", ["first", "clock"])
def test_a_name_that_is_more_than_a_word_is_refused(tmp_path: Path, wrong: str, place: str) -> None:
    file = tmp_path / "cells.lib"
    file.write_text(CELLS.format(**({"first": "buf_2", "clock": "C"} | {place: wrong})))
    with pytest.raises(InputError, match=r"cells\.lib: the name of a (cell|pin of gate) must be of letters"):
        Library(file)


def test_comments_do_not_begin_in_quotes_so_that_no_cell_hides_between_two(tmp_path: Path) -> None:
    file = tmp_path / "cells.lib"
    file.write_text('library (a) { x : "/*"; cell ("a; exec") { area : 1; } y : "*/"; cell (b) { area : 1; } }')
    with pytest.raises(InputError, match=r"cells\.lib: the name of a cell must be of .* not 'a; exec"):
        Library(file)
    group = parse_liberty('library (a) { x ("1, \\\n 2", /* "3" */ 4); /* y : "5"; */ }', "cells.lib")
    assert [float(part) for text in group.lists["x"] for part in text.split(",")] == [1.0, 2.0, 4.0]
    assert not group.values


@pytest.mark.slow
@pytest.mark.cosim("yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_cells_and_caches_may_be_in_folders_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my 'cells';$HOME\n\"(x)"
    folder.mkdir()
    monkeypatch.setenv("MHO_CACHE", str(folder))
    file = folder / "my cells.lib.gz"
    file.write_bytes(LIBRARY.read_bytes())
    modules = without_comments(module_texts(load_chip("tnsa16-core", {"programming.engine": False}), "none"))
    name = next(module for module in modules if "counter" in module)
    library = Library(file)
    counts, netlist = Synthesis(modules, library, library).block(name)
    assert counts["plain"]["area"] > 0
    assert netlist.is_relative_to(folder)


def test_the_cell_that_gates_a_clock_is_found(tmp_path: Path) -> None:
    file = tmp_path / "cells.lib"
    file.write_text(CELLS.format(first="buf_2", clock="C"))
    assert Library(file).clock_gate == ("gate", "E", "C", "G")


def test_a_packed_library_is_as_small_as_a_plain_one(tmp_path: Path) -> None:
    file = tmp_path / "bomb.lib.gz"
    file.write_bytes(gzip.compress(bytes((LIBERTY.most or 0) + 1), 1))
    with pytest.raises(InputError, match=r"bomb\.lib\.gz: holds 268 MB; a Liberty file may have 268 MB at most"):
        liberty_text(file)


def test_work_on_a_damaged_library_has_bounds() -> None:
    begin = time.process_time()
    with pytest.raises(InputError, match="must be a Liberty file"):
        parse_liberty("/*" * 200_000, "cells.lib")  # comments that do not end, each of which was looked for to the end
    assert time.process_time() - begin < 20
    for text in ("+".join(f"a{k}" for k in range(40)), "!" * 5000 + "a"):
        with pytest.raises(ValueError, match=r"Boolean expression|at most 12 names"):
            truth(text)
    with pytest.raises(ValueError, match="at most 12 names"):
        truth("a&b").replaced({name: truth("&".join(f"{name}{k}" for k in range(9))) for name in "ab"})


@pytest.mark.parametrize("value", [0, 10**12])
@pytest.mark.parametrize("key", ["address_width", "word_width"])
def test_a_memory_of_no_size_is_refused(tmp_path: Path, key: str, value: int) -> None:
    sizes = {"address_width": 4, "word_width": 8, key: value}
    file = tmp_path / "memory.lib"
    file.write_text(f"library (x) {{ cell (m) {{ area : 1; memory () {{ address_width : {sizes['address_width']}; "
                    f"word_width : {sizes['word_width']}; }} }} }}")
    with pytest.raises(InputError, match=rf"memory\.lib: m must have a {key} of 1 to"):
        read_memory_macros(file)
