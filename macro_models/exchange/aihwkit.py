"""Devices for aihwkit: its noise model of phase-change memory, or a class beside it."""

from typing import Any

import numpy as np

from mho.macro_models.devices import Device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.exchange.tables import LOST, moments_source

VERSION = "aihwkit 1.1.0 (inference/noise/pcm.py, base.py of 4545f11)"
"""What the text is written for, and was run with."""

_MEAN, _STD, _NOISE = (-0.0155, 0.0244, 0.049, 0.1), (-0.0125, -0.0059, 0.008, 0.045), (0.0088, 0.65, 0.2)
"""Of ``PCMLikeNoiseModel`` (aihwkit, inference/noise/pcm.py, MIT licence)."""

_CLASS = '''

class MhoNoiseModel(BaseNoiseModel):
    """Use it as ``rpu_config.noise_model = MhoNoiseModel(g_max=G[-1])``."""

    def __init__(self, g_converter=None, g_max=None):
        super().__init__(g_converter or SinglePairConductanceConverter(g_max=g_max or float(G[-1])))

    def apply_programming_noise_to_conductance(self, g_target):
        g = g_target.detach().cpu().numpy()
        error = np.interp(g, G, PROGRAMMING) * np.random.standard_normal(g.shape)
        return torch.from_numpy(np.maximum(g + error, 0.0)).to(g_target)

    def generate_drift_coefficients(self, g_target):
        return torch.from_numpy(np.random.standard_normal(tuple(g_target.shape))).to(g_target)

    def apply_drift_noise_to_conductance(self, g_prog, drift_noise_param, t_inference):
        g, z = g_prog.detach().cpu().numpy(), drift_noise_param.detach().cpu().numpy()
        if t_inference > 0:
            g = np.maximum(g + at(MEAN, g, t_inference) + at(DEVIATION, g, t_inference) * z, 0.0)
        noise = at(NOISE, g, t_inference) * np.random.standard_normal(g.shape)
        return torch.from_numpy(np.maximum(g + noise, 0.0)).to(g_prog)
'''


def export_aihwkit(device: Device) -> tuple[str, tuple[str, ...]]:
    """Python that gives ``noise_model`` or a class for it, and what is lost."""
    if isinstance(device, DriftDevice):
        return _pcm_source(device)
    head = (
        "import numpy as np\nimport torch\nfrom aihwkit.inference.converter.conductance import "
        "SinglePairConductanceConverter\nfrom aihwkit.inference.noise.base import BaseNoiseModel\n\n"
    )
    return head + moments_source(device, VERSION) + _CLASS, LOST


def _pcm_source(device: DriftDevice) -> tuple[str, tuple[str, ...]]:
    drift = device.drift
    lost = ["stuck cells, pulses, converters and temperature", "a chip keeps its nu: aihwkit draws it anew"]
    # prog_coeff_g_max_reference is g_max where it is not given; aihwkit does not keep one that is.
    options: dict[str, Any] = {
        "prog_coeff": list(drift.sigma_uS), "g_max": drift.g_ref_uS, "t_read": drift.t_read_s, "t_0": drift.t_c_s,
    }
    factor, exponent, limit = drift.noise
    if drift.noise_curve:
        scale = float(drift.relative_noise(drift.g_ref_uS, 0.0)) / drift.unit_noise(0.0) / _NOISE[0]
        options["read_noise_scale"] = float(f"{scale:.6g}")
        lost.append(f"the curve of the read noise: that of {drift.g_ref_uS:g} uS is scaled by the power law there")
    elif drift.noise != _NOISE:
        options["read_noise_scale"] = float(f"{factor / _NOISE[0]:.6g}")
        lost.append(f"exponent {exponent:g} and limit {limit:g} of the read noise: they are 0.65 and 0.2 there, scaled")
    if drift.floor_uS > 0.0:
        lost.append(f"the least conductance of {drift.floor_uS:g} uS")
    name = "PCMLikeNoiseModel"
    if drift.nu_read > 0.0:
        lost.append("the spread of nu from read to read")
    if drift.die or drift.cell:
        lost.append("what cells of a chip, and a cell from one programming to the next, have in common")
    if any(device.read_noise.sigma_uS) or device.telegraph.acts:
        lost.append("white noise of the read, and traps: only 1/f noise is there")
    if float(drift.nu(np.linspace(0.0, drift.g_ref_uS, 41))[0].min()) < 0.0:
        lost.append("a mean of nu below 0: it is 0 there")
    if (drift.nu_mean, drift.nu_std, drift.nu_mean_above, drift.nu_std_above) != (_MEAN, _STD, (), ()):
        name = "CustomDriftPCMLikeNoiseModel"
        g = drift.g_ref_uS * np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 40)])
        mean, std = drift.nu(g)
        options["custom_drift_model"] = {
            "g_lst": _short(g), "nu_mean_lst": _short(np.maximum(mean, 0.0)),
            "nu_std_lst": _short(np.maximum(std, 1e-9)),
        }
    arguments = ",\n    ".join(f"{key}={value!r}" for key, value in options.items())
    text = (
        f"# {device.name}, written by: mho device export, for {VERSION}\n"
        f"from aihwkit.inference.noise.pcm import {name}\n\n"
        f"noise_model = {name}(\n    {arguments},\n)\n"
    )
    return text, tuple(lost)


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{v:.6g}") for v in values]
