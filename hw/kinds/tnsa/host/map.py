"""Registers of a transposable core."""

from collections.abc import Sequence

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.map import core_map
from mho.hw.host.registers import RegisterMap
from mho.hw.kinds.tnsa.bring_up.trim import TrimField, trim_fields
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.host.manual_map import manual_entries
from mho.hw.kinds.tnsa.host.trim_map import LOCK, trim_entries

_USUAL = WriteVerifyParameters()
_TRIM = trim_fields(TnsaCoreConfig(trim=True), WriteVerifyConfig(trim=True))

_DOCS = {
    "lines": "Bit lines, source lines and word lines.",
    "backward": "0: bit lines are driven; 1: source lines are driven.",
    "binary": "0: counting converter; 1: binary search.",
    "relu": "Negative outputs are 0 (one conversion only).",
    "early_stop": "Counting ends when every enabled line has flipped.",
    "wl_select": "Word-line mask.", "line_select": "Mask of converted lines.",
    "step_code": "Charge of one decrement in V_read / 2**14, at least 1.",
    "masks": "Eighteen masks of as many bits as there are lines: 8 of word lines, 8 of converted lines, dead bit "
    "lines, dead source lines. Whole words only. An operation takes the masks as they are when it starts.",
    "input": "Input codes, four of 8 bits a word, lowest byte first: half as many as there are lines forward, as many "
    "as there are lines backward.",
}


def chip_map(chip: Chip, *, products: bool = True) -> RegisterMap:
    """Registers of a chip's core; ``products`` as at :func:`mho.hw.host.core.map.core_map`."""
    chip = PulseChip.of(chip)
    engine = chip.programming.engine
    parameters = WriteVerifyParameters.from_chip(chip) if engine else None
    trim = trim_fields(TnsaCoreConfig.from_chip(chip), WriteVerifyConfig.from_chip(chip) if engine else None)
    return tnsa_map(chip.lines, chip.sha256, parameters, trim, products=products, manual=chip.core.manual)


def tnsa_map(
    lines: int, sha256: str = "0" * 64, parameters: WriteVerifyParameters | None = _USUAL,
    trim: Sequence[TrimField] = _TRIM, *, products: bool = True, manual: bool = False,
) -> RegisterMap:
    """Registers of a core of ``lines`` lines; what is not said here is as at :func:`mho.hw.host.core.map.core_map`.

    Parameters
    ----------
    trim
        What can be trimmed, see :func:`mho.hw.kinds.tnsa.bring_up.trim.trim_fields`.
    manual
        The core has manual mode.
    """
    write = parameters is not None
    return core_map(
        TnsaCoreConfig(lines=lines), sha256, doc="One transposable core.", docs=_DOCS, parameters=parameters,
        more=(*trim_entries(trim), *(manual_entries(lines, write=write) if manual else ())), products=products,
        lock=LOCK if trim else None,
    )
