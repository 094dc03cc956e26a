"""The page of a run: complete by itself, true to its numbers, and one sentence for what is no run."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mho import Chip, compile
from mho.cli import run
from mho.macro_models.errors import InputError
from mho.reports.facts import read_facts, with_layout
from mho.reports.figures import draw_links, figures_of
from mho.reports.page import figures, report_page
from mho.reports.table import layer_table
from mho.reports.words import accuracy_words, energy_words, layout_words, missing_words, time_words

GIVEN = {"energy.source": "a test of <energies>", "energy.word_line_pJ": 3, "energy.reset_pJ": 700,
         "area.macro_mm2": 0.25, "area.source": "a test"}
TIMES = {"latency_cycles": 900.0, "latency_us": 9.0, "interval_cycles": 500.0, "interval_us": 5.0,
         "time_predicted": True}
TRACE = {
    "images": 2, "first": 100, "last": 1100, "image_ends": [700, 1100], "shown_to": 1100, "mesh": [1, 1],
    "tiles": [{"tile": "0,0", "array": 600, "digital": 300, "waiting": 100,
               "intervals": {"load": [[100, 200]], "array": [[200, 500]], "vector": [], "send": []}}],
}


@pytest.fixture(scope="module")
def content(tiny: Any) -> Any:
    """The JSON of a run."""
    net = compile(tiny.path("tiny.onnx"), Chip.load("tnsa16-core", **GIVEN), calibrate=tiny.x)
    return net.run(tiny.x, time="1y", seeds=2).to_dict(tiny.y, budget=True)


def written(folder: Path, content: Any, name: str = "run.json") -> str:
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)


class Page(HTMLParser):
    """Tags that are open, what a page refers to, and its names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        self.names += [value or "" for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ROUTED: dict[str, Any] = {
    "top": "mho_core_wb", "stage": "finish", "process": "sg13g2", "cells": 1000, "width_um": 1000.0, "height_um": 500.0,
    "utilisation": 0.5, "period_ns": 10.0, "slow_ns": 2.0, "fast_ns": 0.1, "power_mW": 3.0, "clean": True,
    "routing": 0, "antennas": 0, "limits": 0,
}


def test_layout_is_that_of_the_chip(content: Any, tmp_path: Path) -> None:
    """Area, clock and energy of what mho harden wrote; a layout of another chip and what is none are refused."""
    runs = read_facts([written(tmp_path, content)])
    routed = ROUTED | {"chip": Chip.load("tnsa16-core").description.sha256, "rules": {}}
    (facts,) = with_layout(runs, written(tmp_path, routed, "layout.json"))
    words = layout_words(replace(facts, cost=facts.cost | TIMES))
    assert "0.5 mm² in sg13g2" in words
    assert "8 ns (125 MHz) in the slow corner" in words
    assert "30 pJ a cycle, 15 nJ from input to input" in words
    assert "<h3>Layout</h3>" in report_page([facts])
    assert "<h3>Layout</h3>" not in report_page(runs)
    for changed, sentence in ((routed | {"chip": "0" * 64}, "must be the layout of a chip of the runs"),
                              ({"chip": 1}, "layout.json: chip must be ")):
        with pytest.raises(InputError, match=sentence):
            with_layout(runs, written(tmp_path, changed, "layout.json"))


def test_area_without_standard_cells_is_that_of_the_description(content: Any, tmp_path: Path) -> None:
    """Parts of a macro, scaled to all macros of the chip; no panel where the description says no area."""
    (facts,) = read_facts([written(tmp_path, content)])
    parts = {"cells": 0.03, "converters": 0.01}
    drawn = replace(facts, cost={**facts.cost, "macro_by_part_mm2": parts, "macros_mm2": 0.16})
    (bars,) = [figure.axes[0].patches for name, *_, figure in figures_of(drawn) if name == "macros"]
    assert [bar.get_width() for bar in bars] == pytest.approx([0.12, 0.04])
    without = replace(facts, cost={**facts.cost, "macro_by_part_mm2": None, "macros_mm2": None})
    assert "macros" not in [name for name, *_ in figures_of(without)]
    assert "area of the macros, and TOPS/mm2" in dict(missing_words(without))


@pytest.mark.slow
def test_a_page_is_complete_by_itself(content: Any, tmp_path: Path) -> None:
    """No file, no script, no network; figures as SVG with names of their own; words are text."""
    paths = [written(tmp_path, content | {"trace": TRACE}), written(tmp_path, content, "other.json")]
    command = ["report", *paths, "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "figures")]
    assert run([*command, "--json", str(tmp_path / "told.json"), "-q"]) == 0
    text = (tmp_path / "r.html").read_text()
    page = Page(text)
    assert page.open == []
    assert all(link.startswith("#") for link in page.links)
    assert len(set(page.names)) == len(page.names)
    assert {link[1:] for link in page.links} <= set(page.names)
    assert "<script" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert "a test of &lt;energies&gt;" in text
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"run-timeline.svg", "run-timeline.pdf", "other-codes.svg", "other-budget.pdf"} <= figures
    assert "other-macros.svg" in figures
    report = json.loads((tmp_path / "told.json").read_text())
    assert [entry["run"] for entry in report["runs"]] == paths
    for entry in report["runs"]:
        for what in ("accuracy", "time", "energy"):
            assert entry[what].split(". ")[0].replace("&", "&amp;") in text


def test_words_follow_from_the_numbers(content: Any, tmp_path: Path) -> None:
    [facts] = read_facts([written(tmp_path, content)])
    worst = max((row for row in content["budget"]["rows"] if "share" in row), key=lambda row: row["share"])
    assert worst["name"] in accuracy_words(facts)
    assert f"{100 * content['accuracy']['mean']:.2f} %" in accuracy_words(facts)
    assert "is reset" in energy_words(facts)
    assert "input_pulse_pJ" in energy_words(facts)
    assert f"{content['cost']['interval_cycles']:,.0f} cycles" in time_words(facts)


def test_words_of_a_trace_name_the_busiest_tile(content: Any, tmp_path: Path) -> None:
    cost = content["cost"] | {"interval_cycles": 400.0, "interval_us": 4.0, "latency_cycles": 600.0}
    [facts] = read_facts([written(tmp_path, content | {"trace": TRACE, "cost": cost})])
    words = time_words(facts)
    assert "was seen, an input is done each 400 cycles = 4.00 µs, 600 cycles after it begins" in words
    assert "Tile 0,0 works most: its array 60% of the time, something digital alone 30%, waiting 10%" in words


def test_what_is_missing_says_how_to_get_it(content: Any, tmp_path: Path) -> None:
    bare = {key: value for key, value in content.items() if key not in ("budget", "cost")}
    [facts] = read_facts([written(tmp_path, bare)])
    how = dict(missing_words(facts))
    assert how["what each cause costs"] == "mho run .. --budget"
    assert "time and energy" in how
    assert "gives no energies" in energy_words(facts)


@pytest.mark.parametrize("change", [
    {"cost": {}}, {"cost": 3}, {"layers": None}, {"layers": [{"codes": {}}]}, {"trace": {"tiles": []}},
    {"budget": {"rows": [{}]}}, {"results": []}, {"chip": None},
])
def test_what_is_no_run_is_one_sentence(
    content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    path = written(tmp_path, content | change)
    assert run(["report", path, "-o", str(tmp_path / "r.html")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


@pytest.mark.slow
def test_names_that_look_like_formulas_are_text(content: Any, tmp_path: Path) -> None:
    layers = [layer | {"layer": "a$b_{$<&"} for layer in content["layers"]]
    assert run(["report", written(tmp_path, content | {"layers": layers}), "-o", str(tmp_path / "r.html"), "-q"]) == 0
    assert Page((tmp_path / "r.html").read_text()).open == []


@pytest.mark.slow
def test_links_are_drawn_with_their_part_of_the_time(content: Any, tmp_path: Path) -> None:
    idle = {"analog_cycles": 0.0, "utilisation": 0.0}
    tiles = {"bottleneck": "0,0", "tiles": [{"tile": "0,0", **idle}, {"tile": "1,0", **idle}],
             "links": [{"start": "0,0", "end": "1,0", "flits": 25}, {"start": "1,0", "end": "0,0", "flits": 1}]}
    chip = {**content["chip"], "mesh": {"columns": 2, "rows": 1}}
    cost = content["cost"] | TIMES | {"tiles": tiles}
    [facts] = read_facts([written(tmp_path, content | {"chip": chip, "cost": cost})])
    texts = [text.get_text() for text in draw_links(facts).axes[0].texts]
    assert {"0,0", "1,0", "5", "0.2"} <= set(texts)


def test_what_would_help_tiles_says_what_there_is(content: Any, tmp_path: Path) -> None:
    """The layer by its name, and more copies only where there may be more."""
    for layers, duplicates, expected, columns in (
        (["a 1/3"], 3, "tile 1,0 (a 1/3) works longest, 500 cycles an input (100% of the time), so its array limits. "
         "What would help: a on more than 3 tiles (mho compile --duplicates), or fewer bits", 2),
        (["a 1/7"], 7, "What would help: fewer bits", 2),
        (["a", "b"], 1, "tile 1,0 (a and b) works longest", 2),
        (["a"], 1, "What would help: that layer on several tiles (mho compile --duplicates), or fewer bits", 2),
        (["a"], 1, "What would help: fewer bits", 1),
        (["a 1/2"], 4, "a on more than 2 tiles (mho compile --duplicates 4, which says what is in the way), or fewer",
         2),
    ):
        tiles = {"bottleneck": "1,0", "links": [], "tiles": [
            {"tile": "0,0", "analog_cycles": 0.0, "utilisation": 0.0, "layers": []},
            {"tile": "1,0", "analog_cycles": 500.0, "utilisation": 1.0, "layers": layers}]}
        options = {"compile_options": content["compile_options"] | {"duplicates": duplicates}}
        chip = {"chip": content["chip"] | {"mesh": {"columns": columns, "rows": 1}}}
        changed = content | {"cost": content["cost"] | TIMES | {"tiles": tiles}} | options | chip
        [facts] = read_facts([written(tmp_path, changed)])
        assert expected in time_words(facts)
        trace = TRACE | {"tiles": [TRACE["tiles"][0] | {"tile": "1,0"}]}
        [traced] = read_facts([written(tmp_path, changed | {"trace": trace})])
        assert f"Tile 1,0 ({' and '.join(layers)}) works most" in time_words(traced)
        rows = dict(figures(facts))
        how = ", tiles at work on several, predicted"
        assert rows[f"interval: from input to input{how}"] == "500.0 cycles = 5.000 µs: 200,000 inputs a second"
        assert rows[f"latency: an input from its begin to its result{how}"] == "900.0 cycles = 9.000 µs"


@pytest.mark.slow
def test_layers_are_told_with_their_bits_and_copies_together(content: Any, tmp_path: Path) -> None:
    first, second = content["layers"][:2]
    names = [first["layer"], second["layer"]]
    layers = [first | {"layer": f"{names[0]} 1/2"}, first | {"layer": f"{names[0]} 2/2"}, second]
    by_layer = content["cost"]["energy"]["by_layer_pJ"]
    cost = content["cost"] | {
        "bits": {f"{names[0]} 1/2": {"in": 5, "out": 7}, f"{names[0]} 2/2": {"in": 5, "out": 7},
                 names[1]: {"in": 8, "out": 6}},
        "energy": content["cost"]["energy"] | {
            "by_layer_pJ": {f"{names[0]} 1/2": 1500.0, f"{names[0]} 2/2": 1500.0, names[1]: by_layer[names[1]]}},
        "tiles": {"bottleneck": "1,0", "links": [], "tiles": [
            {"tile": "0,0", "analog_cycles": 350.0, "utilisation": 0.7, "layers": [f"{names[0]} 1/2"]},
            {"tile": "1,0", "analog_cycles": 500.0, "utilisation": 1.0, "layers": [f"{names[0]} 2/2"]},
            {"tile": "2,0", "analog_cycles": 20.0, "utilisation": 0.04, "layers": [names[1]]}]},
    }
    losses = [{"name": f"{names[0]} 1/2", "loss": 0.01}, {"name": f"{names[0]} 2/2", "loss": 0.002},
              {"name": names[1], "loss": -0.001}]
    budget = content["budget"] | {"layers": losses}
    [facts] = read_facts([written(tmp_path, content | {"layers": layers, "cost": cost, "budget": budget})])
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in layer_table(facts).split("<tr>")[2:]]
    size = [str(first[key]) for key in ("positions", "columns")]
    assert rows[0] == [names[0], str(2 * first["positions"]), size[1], "2", "5", "7", "500", "3 nJ", "+1.20"]
    assert [*rows[1][:1], *rows[1][3:7]] == [names[1], "1", "8", "6", "20"]
    rows = [{"name": "float", "mean": 0.99}, {"name": "ideal", "mean": 0.98},
            {"name": "relaxation", "mean": 0.1, "alone": 0.88, "share": 0.9}]
    facts = replace(facts, budget={"rows": rows})
    assert "What would help: 8 bits of the inputs (mho compile --tolerance 0), training with" in accuracy_words(facts)
    eight = replace(facts, cost=cost | {"bits": {name: {"in": 8, "out": 8} for name in cost["bits"]}})
    assert "What would help: training with" in accuracy_words(eight)
    assert "Quantisation alone costs 1.00 points." in accuracy_words(facts)
    rows[1]["mean"] = 1.0
    assert "Quantisation alone costs nothing (1.00 points more than the float model)." in accuracy_words(facts)
    old = replace(facts, cost={key: value for key, value in cost.items() if key != "bits"})
    assert "bits" not in layer_table(old)


def part(name: str, value: object, nJ: float) -> dict[str, Any]:
    """Energies of a block or a tile."""
    return {name: value, "image_pJ": 1000 * nJ, "average_pJ": 2000 * nJ, "still_pJ": 600 * nJ}


ENERGY = {
    **part("what", "the chip of <2> tiles", 10), "average_activity": 0.1, "cycles": 500.0, "named_nets": 3,
    "named_flip_flops": 0.987,
    "left_out": "Wires are left out.", "blocks": [part("block", "lane", 7), part("block", "host_port", 3)],
    "tiles": [part("tile", "0,0", 6), part("tile", "1,0", 3), part("tile", None, 1)],
}
SILICON = {
    "library": "cells", "what": "one tile", "tiles": 2, "area_mm2": 0.1, "buffered_mm2": 0.12, "flip_flops": 3,
    "memory_bits": {"mem_64x8": 32}, "energy": ENERGY,
    "blocks": [{"module": "lane", "instances": 1, "flip_flops": 3, "area": 1e5, "buffered": 1.2e5}],
}


@pytest.mark.slow
def test_energy_of_the_logic_is_told_by_block_and_by_tile(content: Any, tmp_path: Path) -> None:
    [facts] = read_facts([written(tmp_path, content)])
    bare = dict(missing_words(facts))
    facts = replace(facts, silicon=SILICON)
    words, page = energy_words(facts), report_page([facts])
    assert "takes 10 nJ an input in the library cells, 70% of it in lane; 60% would be there" in words
    assert "Of 2 tiles, 0,0 takes most, 6 nJ, and 1,0 least, 3 nJ." in words
    assert Page(page).open == []
    assert "0.1200 mm² without memories, in cells" in page
    with_memories = SILICON | {"memory_mm2": 0.02, "memories": [], "macros": [], "energy": None}
    assert "0.1200 mm² with memories, in cells" in report_page([replace(facts, silicon=with_memories)])
    for text in ("Energy of the digital part by tile", "tile 1,0", "around",
                 "chip of &lt;2&gt; tiles; the waves have 98.7%"):
        assert text in page
    assert "energy of the digital part, from switching activity" in bare
    assert "energy of the digital part, from switching activity" not in dict(missing_words(facts))
    core = replace(facts, silicon=SILICON | {"energy": ENERGY | {"tiles": []}})
    assert "by tile" not in report_page([core])
    assert "takes most" not in energy_words(core)


@pytest.mark.slow
def test_energy_of_some_tiles_is_never_told_as_the_chips(content: Any, tmp_path: Path) -> None:
    [facts] = read_facts([written(tmp_path, content)])
    partial = {**part("what", "2 of the 4 tiles", 10), "unseen_tiles": ["0,1", "1,1"]}
    facts = replace(facts, silicon=SILICON | {"energy": ENERGY | partial})
    whose = "2 of 4 tiles (0,0 and 1,0) and what is around the tiles"
    assert f"The digital part of {whose}, not of the whole chip, takes 10 nJ" in energy_words(facts)
    assert "Of these 2 tiles, 0,0 takes most, 6 nJ" in energy_words(facts)
    page = report_page([facts])
    assert "One input takes" not in page
    assert f"Of one input {whose} take 10 nJ by its switching activity" in page
    for figure in ("by block", "by tile"):
        title, caption = f"<h3>Energy of the digital part {figure}</h3>", f"Of {whose} alone, since the others have no"
        assert caption in page.partition(title)[2].partition("</figcaption>")[0]
    assert dict(missing_words(facts))["energy of the digital part of the other tiles"] == (
        "mho run .. --waves F.fst without --waves-tiles")
    single = ENERGY | partial | {"tiles": [part("tile", "0,0", 6), part("tile", None, 1)]}
    assert "takes most" not in energy_words(replace(facts, silicon=SILICON | {"energy": single}))


def memory(name: str, **more: Any) -> dict[str, Any]:
    """A memory on a macro, and what it did."""
    return {"memory": name, "instances": 2, "macros": "M", "two_ports": False, "writes": 30.0, "reads": 50.0,
            "both": 0.0, "image_pJ": 1500.0} | more


@pytest.mark.slow
def test_memories_are_told_with_the_cycles_that_need_two_ports(content: Any, tmp_path: Path) -> None:
    [facts] = read_facts([written(tmp_path, content)])
    area = {"memory_mm2": 0.03, "macros": ["M"], "memories": [
        {"memory": "mem_64x8", "instances": 2, "made_of": "M, 2 words a row", "area": 2e4},
        {"memory": "mem_4x4_async", "instances": 1, "made_of": "flip-flops", "area": 1e4},
    ]}

    def page(*rows: dict[str, Any], **more: Any) -> str:
        energy = ENERGY | {"memory_pJ": 2500.0, "memories": list(rows)}
        return report_page([replace(facts, silicon=SILICON | area | {"energy": energy} | more)])

    text = page(memory("mem_64x8", both=20.0), memory("mem_8x8", writes=0.0, reads=100.0))
    assert Page(text).open == []
    assert "Memories have 32 bits in 1 shapes, 0.0300 mm² of it" in text
    assert "M, 2 words a row" in text
    assert "<li>Macro of memories: M</li>" in text
    assert "2.5 nJ accesses to macros of memories" in text
    # 20 of 60 and 100 cycles with an access.
    assert "it happened 20 times an input, in 12.5% of the cycles with an access, most in mem_64x8 (33% of its" in text
    assert "25% of it, most of them those of mem_64x8: 80 an input" in text
    assert "no cycle of this run needs two" in page(memory("mem_64x8"))
    assert "The macros write and read in one cycle" in page(memory("mem_64x8", two_ports=True, both=20.0))
    assert "--activity counts the cycles that need it" in page(energy=None)
    missing = dict(missing_words(replace(facts, silicon=SILICON | area)))
    assert "area and energy of the memories" not in missing
    assert "area and energy of the memories" in dict(missing_words(replace(facts, silicon=SILICON)))


def test_memories_need_the_standard_cells(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    macro = written(tmp_path, "", "macro.lib")
    assert run(["report", written(tmp_path, content), "--memories", macro, "-o", str(tmp_path / "r.html")]) == 2
    assert capsys.readouterr().err == (
        f"error: {macro}: --memories takes --liberty, the standard cells beside them\n"
    )
