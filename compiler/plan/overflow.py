"""What figures of a network are of that one chip does not hold."""


from mho.compiler.types import Facts
from mho.hw.config import Chip

__all__ = ["overflow"]


def overflow(chip: Chip, cores: int) -> Facts:
    """Whether so many ``cores`` are on one chip, and what figures of a network on them are of: plain numbers and words.

    ``fits``, ``cores``, ``there``, ``chips`` (that hold them); ``figures`` and ``note``, sentences that are empty if it
    fits: what figures are of, and with why.
    """
    chips = -(-cores // chip.cores)
    figures = "" if chips == 1 else (
        f"these figures are of {chips} chips; on one, cells are programmed between layers, whose time, energy and wear "
        "are not counted"
    )
    note = figures and f"does not fit: takes {cores} cores, and {chip.name} has {chip.cores}: {figures}"
    return {
        "fits": chips == 1, "cores": cores, "there": chip.cores, "chips": chips, "figures": figures, "note": note}
