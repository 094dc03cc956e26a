"""Write-verify: the core programs its own cells."""

from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig, WriteVerifyParameters, write_pins
from mho.hw.core.write_verify.engine import CellLayout, TargetLayout, WritePort, WriteVerify
from mho.hw.core.write_verify.joined import ProgrammingIsolation, ProgrammingPermission, WritesCells
from mho.hw.core.write_verify.reference import (
    PULSE,
    WriteMacro,
    WriteVerifyResult,
    cycles,
    dead_lines,
    map_words,
    program,
)

__all__ = [
    "PULSE",
    "CellLayout",
    "ParameterLayout",
    "ProgrammingIsolation",
    "ProgrammingPermission",
    "TargetLayout",
    "WriteMacro",
    "WritePort",
    "WriteVerify",
    "WriteVerifyConfig",
    "WriteVerifyParameters",
    "WriteVerifyResult",
    "WritesCells",
    "cycles",
    "dead_lines",
    "map_words",
    "program",
    "write_pins",
]
