"""Devices for aihwkit and from it: its noise model of phase-change memory, and its devices with soft bounds."""

import ast
import math
from typing import Any

import numpy as np

from mho.macro_models.devices import Device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.sections.drift import Drift
from mho.macro_models.devices.sections.programming import Programming, Range
from mho.macro_models.devices.sections.pulse import PulseResponse
from mho.macro_models.errors import InputError
from mho.macro_models.exchange.tables import LOST, moments_source
from mho.macro_models.files import parse_json

VERSION = "aihwkit 1.1.0 (inference/noise/pcm.py, base.py of 4545f11)"
"""What the text is written for, and was run with."""

_PCM = {
    "prog_coeff": [0.26348, 1.9650, -1.1731], "g_max": 25.0, "t_read": 250e-9, "t_0": 20.0, "prog_noise_scale": 1.0,
    "read_noise_scale": 1.0, "drift_scale": 1.0, "prog_coeff_g_max_reference": 25.0,
}
"""Arguments of ``PCMLikeNoiseModel`` and their defaults (aihwkit, inference/noise/pcm.py, MIT licence)."""
_MEAN, _STD, _NOISE = (-0.0155, 0.0244, 0.049, 0.1), (-0.0125, -0.0059, 0.008, 0.045), (0.0088, 0.65, 0.2)

_SOFT = {
    "ReRamSBPreset": {"dw_min": 0.002, "w_max": 1.25, "w_min": -0.75, "up_down": 0.0, "dw_min_std": 3.75,
                      "w_max_dtod": 0.24},
    "ReRamArrayOMPreset": {"dw_min": 0.0949, "w_max": 1.0, "w_min": -1.0, "up_down": 0.0, "dw_min_std": 0.4158,
                           "w_max_dtod": 0.3499},
    "ReRamArrayHfO2Preset": {"dw_min": 0.4622, "w_max": 1.0, "w_min": -1.0, "up_down": 0.0, "dw_min_std": 0.2174,
                             "w_max_dtod": 0.4295},
}
"""Devices with soft bounds (aihwkit, simulator/presets/devices.py, MIT licence)."""
_OTHERS = ("ConstantStepDevice", "LinearStepDevice", "ExpStepDevice", "HermesNoiseModel", "ReRamWan2022NoiseModel")

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


def preset_names() -> tuple[str, ...]:
    """What :func:`import_aihwkit` knows by name."""
    return ("PCMLikeNoiseModel", *_SOFT)


def import_aihwkit(
    text: str, *, name: str, g_min_uS: float = 0.0, g_max_uS: float | None = None, where: str = "aihwkit"
) -> tuple[Device, tuple[str, ...]]:
    """A device with the law of one of aihwkit, and a sentence for each thing that is lost.

    Raises InputError if the text is none of these, or its law has none here that is equal.

    Parameters
    ----------
    text
        A name of :func:`preset_names`, a call of one as Python has it (``PCMLikeNoiseModel(g_max=25.0)``), or JSON or a
        Python dict with its arguments and ``"class"``. It is read, not run.
    g_min_uS, g_max_uS
        Conductances that stand for the ends of a device's weights; ``g_max`` of a noise model is its own.
    """
    kind, arguments = _parsed(text, where)
    if kind == "PCMLikeNoiseModel":
        return _pcm_device(arguments, name, where)
    class_name = kind if kind in _SOFT else f"{kind}Preset"
    if class_name in _SOFT or kind == "SoftBoundsReferenceDevice" or kind == "SoftBoundsDevice":
        return _soft_device({**_SOFT.get(class_name, {}), **arguments}, kind, name, (g_min_uS, g_max_uS or 40.0), where)
    if kind in _OTHERS:
        raise InputError(f"{where}: {kind} has no law here that is equal to it; known are {', '.join(preset_names())}")
    raise InputError(f"{where}: must be one of {', '.join(preset_names())}, a call or a dict of one, not {kind[:60]!r}")


def _parsed(text: str, where: str) -> tuple[str, dict[str, Any]]:
    text = text.strip()
    if text.isidentifier():
        return text, {}
    try:
        tree = parse_json(text)
    except ValueError:
        tree = None
    try:
        if tree is None:
            text = text.partition("=")[2].strip() if text.startswith("noise_model") else text
            node = ast.parse(text, mode="eval").body
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
                return node.func.id, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
            tree = ast.literal_eval(node)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise InputError(f"{where}: is neither a name, a call, a dict nor JSON of a device of aihwkit") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("class"), str):
        raise InputError(f'{where}: a dict must have "class", the name of the device, as in "PCMLikeNoiseModel"')
    return tree["class"], {str(key): value for key, value in tree.items() if key != "class"}


def _checked(arguments: dict[str, Any], defaults: dict[str, Any], where: str) -> dict[str, Any]:
    for key, value in arguments.items():
        if key not in defaults:
            raise InputError(f"{where}: unknown argument {key}, known are {', '.join(defaults)}")
        numbers = value if isinstance(value, list) else [value]
        good = all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in numbers)
        if not good or not numbers or isinstance(value, list) != isinstance(defaults[key], list):
            raise InputError(f"{where}: {key} must be as {defaults[key]!r}, not {str(value)[:40]!r}")
    return {**defaults, **arguments}


def _pcm_device(arguments: dict[str, Any], name: str, where: str) -> tuple[Device, tuple[str, ...]]:
    settings = _checked({key: value for key, value in arguments.items() if value is not None}, _PCM, where)
    g_max = float(settings["g_max"])
    if "prog_coeff" in arguments and "prog_coeff_g_max_reference" not in arguments:
        settings["prog_coeff_g_max_reference"] = g_max
    if not (g_max > 0.0 and all(settings[key] > 0.0 for key in ("t_0", "t_read", "prog_coeff_g_max_reference"))):
        raise InputError(f"{where}: g_max, t_0, t_read and prog_coeff_g_max_reference must be above 0")
    scale = settings["prog_noise_scale"] * g_max / settings["prog_coeff_g_max_reference"]
    drift = Drift(
        g_ref_uS=g_max, t_c_s=float(settings["t_0"]),
        sigma_uS=tuple(float(f"{scale * c:.10g}") for c in settings["prog_coeff"]),
        nu_mean=tuple(float(settings["drift_scale"]) * v for v in _MEAN),
        nu_std=tuple(float(settings["drift_scale"]) * v for v in _STD),
        noise=(settings["read_noise_scale"] * _NOISE[0], _NOISE[1], settings["read_noise_scale"] * _NOISE[2]),
        t_read_s=float(settings["t_read"]), times_s=(1.0, 86400.0), source="aihwkit, PCMLikeNoiseModel",
    )
    device = DriftDevice(
        name=name, description="PCMLikeNoiseModel of aihwkit", drift=drift,
        range=Range(g_min_uS=0.0, g_max_uS=g_max, source="g_max of the noise model"),
    )
    return device, ("nothing: the formulas are the same, but a cell keeps its nu here, and read noise is there at 0 s",)


def _soft_device(
    arguments: dict[str, Any], kind: str, name: str, limits: tuple[float, float], where: str
) -> tuple[Device, tuple[str, ...]]:
    """Soft bounds: a pulse moves a cell a part of its way to the bound, as SET and RESET pulses do here."""
    settings = _checked(arguments, dict(_SOFT["ReRamSBPreset"]), where)
    low, high = limits
    top, bottom, step, side = (float(settings[key]) for key in ("w_max", "w_min", "dw_min", "up_down"))
    if not bottom < 0.0 < top:
        raise InputError(f"{where}: w_min must be below and w_max above 0, not {bottom:g} and {top:g}")
    parts = step * (1.0 + side) / top, step * (1.0 - side) / -bottom
    if not all(0.0 < part < 1.0 for part in parts) or not low < high:
        raise InputError(f"{where}: dw_min must be above 0 and below the bounds, not {step:g}")
    pulse = PulseResponse(
        g_low_uS=low, g_high_uS=high, high_spread=float(f"{min(settings['w_max_dtod'], 10.0):.4g}"),
        initial_uS=low or 0.01 * high, set_threshold_V=1.0, reset_threshold_V=1.0,
        set_rate=float(f"{-math.log1p(-parts[0]):.6g}"), reset_rate=float(f"{-math.log1p(-parts[1]):.6g}"),
        source=f"aihwkit, {kind}: dw_min {step:g} of w from {bottom:g} to {top:g}; a pulse is one of 1 V",
    )
    device = Device(
        name=name, description=f"{kind} of aihwkit", pulse=pulse, programming=Programming(source="1 us for a pulse"),
        range=Range(g_min_uS=low, g_max_uS=high, source="as given to the import"),
    )
    lost = (
        f"noise of a step (dw_min_std {settings['dw_min_std']:g}): it is added there, and a factor here", "write noise",
        "the spread of dw_min and of the lower bound between cells; symmetry points that are subtracted",
    )
    return device, lost
