"""Line numbers of keys, checked against the parser on texts with everything that hides a key."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.config.load import key_lines

TEXT = '''# comment = 1
schema = 1
note = """
[not.a.table]
fake = 1 # "
"""
list = [ # a = 1
  "x = 2", # [y]
  "]",
]
inline = { a = 1, b = "]" }
"quoted key" = 'it''' + """'"
[table]
a.b = 3
 [ table . inner ]
c = '#'
d = \"\"\"one line\"\"\"
e = 5
"""


def test_hidden_keys_are_not_listed_and_lines_are_right():
    text = TEXT.replace("'it'\"", "'it'")
    tomllib.loads(text)
    assert key_lines(text) == {
        "schema": 2, "note": 3, "list": 7, "inline": 11, "quoted key": 12, "table": 13, "table.a.b": 14,
        "table.inner": 15, "table.inner.c": 16, "table.inner.d": 17, "table.inner.e": 18,
    }


@pytest.mark.slow
@given(st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.text(alphabet='ab"\'#[]{}=\n\\ ', max_size=12)))
def test_any_string_value_hides_nothing_and_adds_nothing(values):
    lines = []
    for name, value in values.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'{name} = "{escaped}"')
    text = "\n".join(lines)
    assert tomllib.loads(text) == values
    assert key_lines(text) == {name: number for number, name in enumerate(values, start=1)}


MULTI_LINE = st.text(alphabet="ab='#[]{}\n \"", max_size=10).filter(lambda s: '"""' not in s and not s.endswith('"'))


@given(st.lists(MULTI_LINE, max_size=6))
def test_multi_line_strings_hide_their_lines(values):
    text, number, expected = "", 1, {}
    for index, value in enumerate(values):
        expected[f"k{index}"] = number
        line = f'k{index} = """\n{value}"""\n'
        text += line
        number += line.count("\n")
    assert len(tomllib.loads(text)) == len(values)
    assert key_lines(text) == expected
