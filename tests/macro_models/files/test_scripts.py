"""Names of others in scripts of other tools, and places where tools run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.errors import InputError
from mho.macro_models.files.scripts import is_plain, plain_file, plain_folder, script_name


@given(st.text())
def test_a_name_of_a_script_is_one_word_of_it(text: str) -> None:
    if text.isascii() and text.isidentifier():
        assert script_name(text, "a name") == text
    else:
        with pytest.raises(InputError, match="a name must be of letters, digits and _"):
            script_name(text, "a name")


@given(st.text(min_size=1))
def test_a_plain_name_of_a_file_is_no_option_and_one_word(text: str) -> None:
    name = plain_file(text)
    assert is_plain(Path(name))
    assert not name.startswith("-")


def test_a_tool_runs_where_the_path_is_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = tmp_path / "a 'b;$c\n"
    strange.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(strange))
    assert plain_folder(strange, tmp_path) == tmp_path
    assert is_plain(plain_folder(strange))
