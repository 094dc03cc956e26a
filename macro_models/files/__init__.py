"""Files that somebody else made: limits, structure and memory are checked before anything is done with them."""

from mho.macro_models.files.arrays import ArrayFile, read_member
from mho.macro_models.files.memory import check_memory, size_text
from mho.macro_models.files.reading import (
    FileKind,
    decode_text,
    extending,
    open_file,
    parse_json,
    parse_toml,
    read_file,
    read_text,
    read_toml,
    reading,
    unpacked,
)

__all__ = [
    "ArrayFile", "FileKind", "check_memory", "decode_text", "extending", "open_file", "parse_json", "parse_toml",
    "read_file", "read_member", "read_text", "read_toml", "reading", "size_text", "unpacked",
]
