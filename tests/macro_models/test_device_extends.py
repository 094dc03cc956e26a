"""Device files that extend another."""

from dataclasses import replace
from pathlib import Path

import pytest

from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text("schema = 1\n" + text)
    return path


def test_a_file_says_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    first = _write(tmp_path / "deep", "a.toml", 'extends = "rram-neurram"\nname = "a"\n[stuck]\nfraction = 0.25\n')
    second = _write(tmp_path, "b.toml", 'extends = "deep/a.toml"\nname = "b"\n[pulse]\nweak_fraction = 0.5\n')
    base, a, b = load_device("rram-neurram"), load_device(first), load_device(second)
    assert a.stuck == replace(base.stuck, fraction=0.25)
    assert replace(a, name=base.name, description=base.description, stuck=base.stuck) == base
    assert b.stuck == a.stuck
    assert b.pulse == replace(base.pulse, weak_fraction=0.5)
    assert (b.name, b.description) == ("b", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('extends = "frob"\nname = "x"\n', r'x\.toml: extends: device must be one of .* not "frob"'),
        ('extends = "none.toml"\nname = "x"\n', r"none\.toml: cannot be read as a device"),
        ("extends = 3\nname = 'x'\n", r"x\.toml: extends must be the name of a device or a path, not 3"),
        ('extends = "x.toml"\nname = "x"\n', r"extends must not come back to itself, not x\.toml -> x\.toml"),
        ('extends = "rram-neurram"\n', r"x\.toml: name must be a string that is not empty"),
        ('extends = "rram-neurram"\nname = "x"\n[stuck]\nfracton = 1\n', r"did you mean stuck\.fraction\?"),
    ],
)
def test_extensions_that_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_device(_write(tmp_path, "x.toml", text))
