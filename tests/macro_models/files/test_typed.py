"""What a type says that JSON holds is what reading demands."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pytest

from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import spec_of


class Point(TypedDict):
    name: str
    at: tuple[float, float]
    sure: bool
    note: NotRequired[str | None]


class Path(TypedDict):
    points: Sequence[Point]
    lengths: Mapping[str, int]
    more: Mapping[str, object]
    label: str | None


POINT = {"name": "p", "at": [1, 2.5], "sure": True, "else": []}
WHOLE: dict[str, Any] = {"points": [POINT], "lengths": {"a": 3}, "more": {"x": [None]}, "label": None}


def test_what_fits_is_taken_with_further_keys() -> None:
    spec_of(Path).read("f: ", WHOLE)
    spec_of(Path).read("f: ", WHOLE | {"points": [POINT | {"note": None}, POINT | {"note": "n"}], "label": "l"})


@pytest.mark.parametrize(("change", "sentence"), [
    ({"points": {}}, r"f: points must be a list, not a table"),
    ({"points": [POINT | {"at": [1]}]}, r"f: points\[0\]\.at must be a list of 2 to 2, not \[1\]"),
    ({"points": [POINT | {"at": [1, float("inf")]}]}, r"f: points\[0\]\.at\[1\] must be a number .* not inf"),
    ({"points": [POINT | {"at": [1, True]}]}, r"f: points\[0\]\.at\[1\] must be a number .* not true"),
    ({"points": [POINT | {"sure": 1}]}, r"f: points\[0\]\.sure must be true or false, not 1"),
    ({"points": [POINT | {"note": 1}]}, r"f: points\[0\]\.note must be a string, not 1"),
    ({"lengths": {"a": 1.0}}, r"f: lengths\.a must be a whole number .* not 1"),
    ({"lengths": {"a": 10**30}}, r"f: lengths\.a must be a whole number from .* not 1000"),
    ({"more": 1}, r"f: more must be a table, not 1"),
    ({"label": []}, r"f: label must be a string, not \[\]"),
])
def test_what_does_not_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        spec_of(Path).read("f: ", WHOLE | change)


def test_what_may_be_null_must_be_there() -> None:
    with pytest.raises(InputError, match=r"f: label must be there, null or not"):
        spec_of(Path).read("f: ", {key: value for key, value in WHOLE.items() if key != "label"})
