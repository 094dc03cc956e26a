"""What blocks with memories are elaborated for, where no Verilog is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryProcess:
    """Platform of an elaboration for a process."""

    one_port: bool = False
    """Its SRAM has one port."""
