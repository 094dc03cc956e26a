"""The file of a sweep: what it combines, and one sentence for whatever is wrong in it."""

from pathlib import Path

import pytest

from mho.cli import run
from mho.macro_models.errors import InputError
from mho.sweeps import load_spec
from mho.sweeps.spec.points import Space
from tests.mho.sweeps.conftest import SWEEP


def test_all_combinations_in_order(sweep_file: Path) -> None:
    spec = load_spec(sweep_file)
    space = Space(spec)
    assert spec.size == 4
    designs = [space.design(number) for number in range(space.spec.size)]
    assert [(dict(d.axes)["adc.bits"], d.time_s) for d in designs] == [(4, 1.0), (4, 86400.0), (6, 1.0), (6, 86400.0)]
    points = [point for number in range(4) for point in space.points(number)]
    assert len({point.name for point in points}) == 12
    assert len({point.compiled for point in points}) == 2  # a network for each chip, whatever the time and the seed


def test_names_are_of_contents(sweep_file: Path, tmp_path: Path, sweep_text: str) -> None:
    def names(text: str) -> list[str]:
        sweep_file.write_text(text)
        space = Space(load_spec(sweep_file))
        return [point.name for number in range(space.spec.size) for point in space.points(number)]

    before = names(sweep_text)
    (tmp_path / "own.toml").write_text('schema = 1\nextends = "tnsa16-core"\nname = "tnsa16-core"\n')
    more = names(sweep_text.replace("[4, 6]", "[4, 6, 5]"))
    assert set(before) < set(more)  # rows of a smaller sweep serve a larger one
    assert set(before).isdisjoint(names(sweep_text.replace("images = 40", "images = 41")))
    assert set(before).isdisjoint(names(sweep_text.replace('"adc.bits" = [4, 6]', '"compile.copies" = [1, 2]')))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seeds = 3", "sedes = 3", "unknown key sedes, did you mean seeds?"),
        ("seeds = 3", "seeds = 0", "seeds must be a whole number from 1 to 100000, not 0"),
        ("seeds = 3", "seeds = [1, 1]", "seeds must hold each value once, not 1 2 times"),
        ('["1s", "1d"]', '["1s", "1x"]', "times[1]: time must be a number with s, m, h, d or y, as in 1d, not '1x'"),
        ('["1s", "1d"]', "[true]", 'times[0] must be a time such as "1d", not true'),
        ("[4, 6]", "[4, 60]", "axes.adc.bits: adc.bits=60: adc.bits must be"),
        ("[4, 6]", "6", "axes.adc.bits must be a list of values, not 6"),
        ('"adc.bits"', '"adc.bit"', "axes.adc.bit: adc.bit=4: unknown key adc.bit; did you mean bits?"),
        ('"adc.bits"', '"compile.bits"', "axes.compile.bits: compile option 'bits' is unknown; known are"),
        ("tnsa16-core", "tnsa61-core", "neither a preset nor a .toml file"),
        ("images = 40", "images = 91", "networks.tiny.images must be 90 at most, as there are inputs, not 91"),
        ("images = 40", 'sample = "digit"', "networks.tiny.sample must be one of digits, fashion14, not 'digit'"),
        ("tiny.onnx", "none.onnx", "none.onnx: cannot be read as an ONNX model"),
        ("[networks.tiny]", '[search]\nmethod = "best"\n[networks.tiny]', "search.method must be one of"),
        (
            "[networks.tiny]", '[search]\nmethod = "pareto"\nevaluations = 9\n[networks.tiny]',
            "search.objectives must name what is wanted",
        ),
        (
            "[networks.tiny]", '[search]\nmethod = "random"\n[networks.tiny]',
            "search.evaluations must say how many combinations are run at most, not nothing",
        ),
        (
            "[networks.tiny]",
            '[search]\nmethod = "pareto"\nevaluations = 9\nobjectives = {speed = "max"}\n[networks.tiny]',
            "search.objectives.speed: must be one of accuracy,",
        ),
        ("schema = 1", "schema = 2", "schema must be 1, not 2"),
    ],
)
def test_what_is_wrong_is_one_sentence(sweep_file: Path, sweep_text: str, old: str, new: str, sentence: str) -> None:
    assert old in sweep_text
    sweep_file.write_text(sweep_text.replace(old, new))
    with pytest.raises(InputError) as error:
        load_spec(sweep_file)
    assert sentence in str(error.value)
    assert "overrides" not in str(error.value)


def test_the_example_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--example"]) == 0
    (tmp_path / "sweep.toml").write_text(capsys.readouterr().out)
    spec = load_spec(tmp_path / "sweep.toml")
    assert (spec.size, len(spec.seeds), list(spec.networks)) == (6, 3, ["digits"])


def test_a_sweep_is_not_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    assert run(["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "sweep.toml")]) == 2
