"""The transposable core: :mod:`hw.core`, behind the registers of :mod:`hw.host.core_map`."""

from functools import partial

from hw.config import Chip, PulseChip
from hw.core.config import CoreConfig
from hw.core.energy import CoreEnergy
from hw.core.manual import manual_inputs
from hw.core.top import CoreTop
from hw.core.trim import TrimLayout
from hw.core.write_verify import WriteVerifyConfig
from hw.host.core_host import CoreHost
from hw.host.core_map import chip_map
from hw.kinds import CoreBlocks
from hw.macro.macro_pins import MacroPins

timing = CoreConfig.from_chip
energy = CoreEnergy.from_chip


def core_blocks(chip: Chip) -> CoreBlocks:
    """See :func:`hw.kinds.core_blocks`."""
    cfg, registers, pins = CoreConfig.from_chip(chip), chip_map(chip), MacroPins.from_chip(chip)
    write = WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None
    return CoreBlocks(
        core=partial(CoreTop, cfg, write), host=partial(CoreHost, cfg, registers, write), registers=registers,
        pins=pins, configurations=(cfg, write, registers, pins),
        trim=TrimLayout(cfg, write).pack({}) if cfg.trim else None,
        idle=manual_inputs(cfg, write) if cfg.manual else {},
    )
