"""The sequencer of a tile: its program, loops, token instructions, traps."""

from mho.hw.tile.rtl.sequencer.sequencer import IssueLayout, Sequencer

__all__ = ["IssueLayout", "Sequencer"]
