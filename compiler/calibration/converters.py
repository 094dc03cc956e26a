"""What the converters of a chip found when they calibrated themselves: kept with the network."""

from typing import Any

from mho.hw.config import Chip
from mho.macro_models import family
from mho.macro_models.devices.device import Device

__all__ = ["converter_registers"]


def converter_registers(chip: Chip, device: Device, cores: int, seed: int = 0) -> dict[str, Any]:
    """Entry ``converters`` of a network's calibration, of chip number ``seed``; nothing where a kind has none.

    Another chip calibrates its own converters when it is programmed.
    """
    make = family(chip.core.kind).converters
    if make is None or not device.converter.spread:
        return {}
    config = chip.macro_config()
    return {"converters": {"seed": seed, "cores": [make(config, device, seed, core) for core in range(cores)]}}
