"""What the macro models take from a chip description."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from hw.config.chip import Chip
from macro_models.errors import InputError

if TYPE_CHECKING:
    from macro_models import Device
    from macro_models.cells.pulses import PulseConfig
    from macro_models.tnsa.config import TnsaConfig

__all__ = ["check_device", "default_device", "macro_config", "pulse_config", "wire_warnings"]


def macro_config(chip: Chip) -> "TnsaConfig":
    """Configuration of the transposable macro's numpy model."""
    # Imported here: the description itself needs no scipy.
    from macro_models.array import Wires
    from macro_models.tnsa.config import TnsaConfig
    from macro_models.tnsa.neuron import Neuron

    return TnsaConfig(
        lines=chip.lines,
        g_bits=chip.core.g_bits,
        g_min_uS=chip.cells.g_min_uS,
        g_max_uS=chip.cells.g_max_uS,
        g_full_scale_uS=chip.cells.g_full_scale_uS,
        v_read_V=chip.read.v_read_V,
        sigma_offset_mV=chip.adc.sigma_offset_mV,
        sigma_gain=chip.adc.sigma_gain,
        wires=Wires(
            r_row_ohm=chip.wires.r_row_ohm,
            r_col_ohm=chip.wires.r_column_ohm,
            r_driver_ohm=chip.wires.r_driver_ohm,
            r_sense_ohm=chip.wires.r_sense_ohm,
        ),
        neuron=Neuron(**asdict(chip.neuron)),
    )


def pulse_config(chip: Chip) -> "PulseConfig":
    """Scales of the numpy model of cells that are programmed by pulses."""
    from macro_models.cells.pulses import PulseConfig

    programming = chip.programming
    return PulseConfig(
        lines=chip.lines,
        v_base_V=programming.v_base_V,
        v_step_V=programming.v_step_mV / 1000.0,
        verify_bits=programming.verify_bits,
        g_full_scale_uS=chip.cells.g_full_scale_uS,
        cycle_s=1e-6 / chip.clock.f_clk_MHz,
        wait_s=programming.t_wait_s,
    )


def default_device(chip: Chip) -> "Device":
    """Load the device that the chip names; the path of a file is relative to the chip's file.

    Raises
    ------
    InputError
        If there is no such device.
    """
    from macro_models import load_device

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

    Raises
    ------
    InputError
        Naming both ranges. A device without a range of its own (``ideal``) fits every chip.
    """
    low, high = getattr(device, "g_min_uS", None), getattr(device, "g_max_uS", None)
    if low is None or high is None:
        return
    if (low, high) != (chip.cells.g_min_uS, chip.cells.g_max_uS):
        raise InputError(
            f"chip {chip.name}: cells.g_min_uS to cells.g_max_uS must be {low:g} to {high:g} uS as in device "
            f"{device.name}, not {chip.cells.g_min_uS:g} to {chip.cells.g_max_uS:g} uS"
        )


def wire_warnings(chip: Chip) -> list[str]:
    """A sentence, with the number, if the wires of the chip cost more than a step of its converters.

    Random cells in the chip's range of conductances are taken; a core of 256 lines takes some seconds.
    """
    from macro_models.tnsa.wired import RANGE_RMS, wire_error

    error = wire_error(macro_config(chip), chip.adc.bits)
    if error.steps <= 1.0:
        return []
    return [
        f"wires change the outputs of a core by {100.0 * error.relative:.2g} % of their rms, {error.steps:.2g} "
        f"steps of a converter of adc.bits = {chip.adc.bits} with a range of {RANGE_RMS:g} times the rms (random cells "
        f"of {chip.cells.g_min_uS:g} to {chip.cells.g_max_uS:g} uS)"
    ]
