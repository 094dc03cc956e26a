"""The shipped JSON Schema: up to date, accepts what the loader accepts, refuses what it refuses."""

import json
import tomllib

import jsonschema
import pytest

from mho.hw.config import preset_names, preset_text
from tests.hw.config.chip_page import SCHEMA_FILE, json_schema, schema_text

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def valid(text: str) -> bool:
    return VALIDATOR.is_valid(tomllib.loads(text))


def test_shipped_file_is_the_generated_one():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "python -m tests.hw.config.chip_page writes it"


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid(name):
    assert valid(preset_text(name))


@pytest.mark.parametrize(
    "text",
    [
        "name = 'a'", "schema = 2", "schema = 1\nnam = 'a'",
        "schema = 1\n[adc]\nbits = 9", "schema = 1\n[adc]\nbitz = 3",
        "schema = 1\n[core]\ncorelet = 5", "schema = 1\n[verilog]\nprefix = '9'", "schema = 1\n[macro]\nfiles = []",
        "schema = 1\n[adc]\nearly_stop = 1",
    ],
)
def test_what_the_loader_refuses_is_invalid(text):
    assert not valid(text)


def test_user_macro_is_valid():
    assert valid("schema = 1\n[macro]\nmodule = 'm'\nfiles = ['m.v']\npins.a = '!B'\npins.hold = 0\npower.VDD = 'v'")
