"""What the memories of a design did, from a trace."""

from mho.sim.silicon.memories.tiling import MemoryWork, Shape
from mho.sim.silicon.power.activity import Activity

__all__ = ["WORD", "average_work", "seen_work", "word_changes"]

WORD = "\\words["
"""How names of the words of a memory of flip-flops begin in its netlist."""


def seen_work(activity: Activity, scope: str, images: int) -> MemoryWork:
    """What the memory at ``scope`` did for one of some images."""
    writes, reads, both = activity.accesses.get(scope, (0, 0, 0))

    def changes(*ports: str) -> float:
        return sum(sum(activity.changes.get(f"{scope}.{port}", ())) for port in ports) / images

    return MemoryWork(
        cycles=activity.cycles / images, writes=writes / images, reads=reads / images, both=both / images,
        data=changes("write_data"), address=changes("write_address", "read_address"), lanes=changes("write_enable"),
    )


def average_work(shape: Shape, cycles: float, activity: float) -> MemoryWork:
    """Each port is at work in a part ``activity`` of the cycles, and each pin changes as often."""
    often = activity * cycles
    return MemoryWork(
        cycles=cycles, writes=often, reads=often, both=activity * often, data=shape.width * often,
        address=2 * max((shape.depth - 1).bit_length(), 1) * often, lanes=shape.lanes * often,
    )


def word_changes(activity: Activity, scope: str, depth: int) -> float:
    """Changes in a cycle of a bit of a memory of flip-flops: words are written equally often, half the bits change."""
    writes = max(activity.ones.get(f"{scope}.write_enable", [0]))
    return 0.5 * writes / depth / activity.cycles
