"""Write-verify: the core programs its own cells."""

from hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig, WriteVerifyParameters
from hw.core.write_verify.engine import CellLayout, TargetLayout, WritePort, WriteVerify, WriteVerifyStatus
from hw.core.write_verify.fault_map import FaultMap
from hw.core.write_verify.isolation import ProgrammingIsolation
from hw.core.write_verify.permission import ProgrammingPermission
from hw.core.write_verify.reference import (
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
    "FaultMap",
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
    "WriteVerifyStatus",
    "cycles",
    "dead_lines",
    "map_words",
    "program",
]
