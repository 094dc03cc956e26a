"""Devices and the chip that they are for."""

from typing import TYPE_CHECKING

from mho.hw.config.chip import Chip
from mho.macro_models.errors import InputError

if TYPE_CHECKING:
    from mho.macro_models import Device


def default_device(chip: Chip) -> "Device":
    """Load the device that the chip names; the path of a file is relative to the chip's file.

    Raises InputError if there is no such device.
    """
    from mho.macro_models import load_device

    name = chip.device
    if chip.folder is not None and name.endswith(".toml"):
        name = str(chip.folder / name)
    try:
        return load_device(name)
    except InputError as error:
        raise InputError(f"chip {chip.name}: {error}") from None


def check_device(chip: Chip, device: "Device") -> None:
    """Refuse a device whose conductance range differs from that of the chip.

    Weights are mapped to the range of the chip, and the statistics of a device are fitted on its own range, so two
    ranges that differ would give numbers that belong to neither.

    Raises InputError, naming both ranges. A device without a range of its own (``ideal``) fits every chip.
    """
    low, high = getattr(device, "g_min_uS", None), getattr(device, "g_max_uS", None)
    if low is None or high is None:
        return
    if (low, high) != (chip.cells.g_min_uS, chip.cells.g_max_uS):
        raise InputError(
            f"chip {chip.name}: cells.g_min_uS to cells.g_max_uS must be {low:g} to {high:g} uS as in device "
            f"{device.name}, not {chip.cells.g_min_uS:g} to {chip.cells.g_max_uS:g} uS"
        )
