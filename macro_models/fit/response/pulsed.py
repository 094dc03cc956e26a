"""Devices with a fitted response to pulses: alone, or beside what the cells do after programming.

The pulse response of a device (:mod:`mho.macro_models.cells.pulses`) from the readings after each of many pulses.

By maximum likelihood: where a reading differs from the one before by more than noise can, the exponent of the move,

    ln a = ln(rate * width / pulse_s) + (V - V_th) / slope + spread * z,

is known up to the noise of the two readings; where it does not, the exponent is below what could be seen, or V below
the threshold; near the end of the window it is above. The threshold of a cell is integrated over, and a cell is weak
or not (:mod:`.side`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.fit import Fit
from mho.macro_models.devices.sections.noise import ConverterNoise
from mho.macro_models.devices.sections.programming import Programming, Range, Stuck
from mho.macro_models.devices.sections.pulse import PulseAgreement, PulseResponse
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.macro_models.fit.response.identified import about_moves, agreement, moves
from mho.macro_models.fit.response.side import PARAMETERS, SEEN, Found, Side, deviation
from mho.macro_models.fit.response.updates import fit_updates
from mho.macro_models.fit.tables.censored import stuck_section
from mho.macro_models.fit.tables.pulses import LEAST_PULSES, Pulses
from mho.macro_models.types import Flags, Reals

_LEAST_NOISE_US = 1e-4
_COPIES, _SEED = 8, 7
_FASTEST = 1e6  # a rate beyond which every pulse makes the whole way
_KNOWN = {
    "threshold_V": 0.1, "spread_V": 0.7, "slope_V": 0.35, "rate": 1.0, "cycle_spread": 0.35, "weak_fraction": 1.0,
    "weak_factor": 1.0,
}
"""Standard errors from which on a parameter is not known: of the threshold in V, of the others of their logarithms."""


@dataclass(frozen=True, kw_only=True)
class PulseFit:
    """What was found."""

    pulse: PulseResponse
    stuck: Stuck
    """Cells that no pulse moves; fraction 0 if there are none."""
    cells: int
    pulses: int
    agreement: PulseAgreement
    doubts: list[str]
    """What the law does not follow, a sentence each."""


def fit_pulses(data: Pulses, pulse_s: float, progress: Callable[[int, int], None] | None = None) -> PulseFit:
    """Fit the response to pulses.

    Raises InputError if there are fewer than 200 pulses, or too few of one sign that move cells.

    Parameters
    ----------
    pulse_s
        Width of pulse to which the rates refer, in seconds.
    progress
        Called with (steps done, steps).
    """
    if len(data.volts) < LEAST_PULSES:
        raise InputError(
            f"{data.path}: {len(data.volts)} pulses with a reading before and after are too few to fit the response to "
            f"pulses, at least {LEAST_PULSES} are needed (the pulse_ columns may be left out)"
        )
    for name, sign in (("positive (SET)", 1.0), ("negative (RESET)", -1.0)):
        if not (sign * data.volts > 0.0).any():
            raise InputError(
                f"{data.path}: has no pulses with a {name} pulse_V; both signs are needed to fit the response to pulses"
            )
    noise = _noise(data)
    stuck = _never_moved(data, noise)
    moving = data.where(~stuck[data.cell])
    sides = {}
    for done, (kind, sign) in enumerate((("SET", 1.0), ("RESET", -1.0))):
        side = Side(moving.where(sign * moving.volts > 0.0), sign, noise, pulse_s, data.path.name, kind)
        sides[kind] = side.fit()
        if progress is not None:
            progress(done + 1, 2)
    up, down = sides["SET"], sides["RESET"]
    first = np.log(np.maximum(data.first_uS[~stuck], 1e-6))
    many = np.array([up.moves, down.moves], dtype=np.float64) / (up.moves + down.moves)

    def both(name: str) -> float:
        return _rounded(float(many @ [getattr(up, name), getattr(down, name)]))

    pulse = PulseResponse(
        g_low_uS=_rounded(down.end_uS), g_high_uS=_rounded(up.end_uS), high_spread=_rounded(up.end_spread),
        initial_uS=_rounded(math.exp(float(np.median(first)))), initial_spread=_rounded(deviation(first)),
        set_threshold_V=_rounded(up.threshold), reset_threshold_V=_rounded(down.threshold),
        set_spread_V=_rounded(up.spread), reset_spread_V=_rounded(down.spread), set_slope_V=_rounded(up.slope),
        reset_slope_V=_rounded(down.slope),
        set_rate=_rounded(min(up.rate, _FASTEST)), reset_rate=_rounded(min(down.rate, _FASTEST)),
        cycle_spread=both("cycle"), weak_fraction=both("weak"), weak_factor=both("weak_factor"),
        verify_sigma_uS=_rounded(noise), source=_source(data, up, down, pulse_s),
    )
    return PulseFit(
        pulse=pulse,
        stuck=stuck_section(data.first_uS[stuck], data.cells, f"{data.path.name}, not moved by pulses"),
        cells=data.cells,
        pulses=len(data.volts),
        agreement=_agreement(moving, pulse, up, down, pulse_s),
        doubts=about_moves(moving, _expected(moving, pulse, pulse_s), "[pulse] (moves in proportion to the way left)"),
    )


def _expected(data: Pulses, pulse: PulseResponse, pulse_s: float) -> Reals:
    """Mean moves of the law from the same readings."""
    r = np.random.default_rng(_SEED)
    return np.mean([moves(data, pulse, pulse_s, r) for _ in range(_COPIES)], axis=0)


def _agreement(data: Pulses, pulse: PulseResponse, up: Found, down: Found, pulse_s: float) -> PulseAgreement:
    """Residuals, standard errors, and the names of parameters that are not known."""
    errors, unknown = [], []
    for name, side in (("set", up), ("reset", down)):
        by_parameter = dict(zip(PARAMETERS, side.errors, strict=True))
        # The rate is known at the amplitudes of the data; at the threshold as well as that is.
        by_parameter["rate"] = math.hypot(by_parameter["rate"], by_parameter["threshold_V"] / side.slope)
        names = ("threshold_V", "spread_V", "slope_V", "rate")
        errors += [by_parameter[key] for key in names]
        unknown += [f"{name}_{key}" for key in names if by_parameter[key] > _KNOWN[key]]
        if not side.ended:
            unknown.append("g_high_uS" if name == "set" else "g_low_uS")
    for key in ("cycle_spread", "weak_fraction", "weak_factor"):
        if min(dict(zip(PARAMETERS, side.errors, strict=True))[key] for side in (up, down)) > _KNOWN[key]:
            unknown.append(key)
    return replace(
        agreement(data, pulse, pulse_s), unknown=", ".join(unknown),
        errors=tuple(float(f"{min(e, 1e3):.3g}") for e in errors),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _source(data: Pulses, up: Found, down: Found, pulse_s: float) -> str:
    ends = [f"{name} is {'seen' if side.ended else 'extrapolated'}" for name, side in (("g_high", up), ("g_low", down))]
    width = "" if data.width_is_known else f"; widths are not in the data, {pulse_s:g} s is assumed"
    return (
        f"{data.path.name}: maximum likelihood of {len(data.volts)} pulses of {data.cells} cells; {', '.join(ends)}; "
        f"forming is not part of the data{width}"
    )


def _noise(data: Pulses) -> float:
    """Standard deviation of a reading, in uS: from the moves against the sign of the pulses, which are but noise.

    Where a pulse moves nothing half of all moves are of that kind, elsewhere fewer: of the groups of equal amplitude
    and similar conductance that with most of them decides.
    """
    against = np.sign(data.volts) * (data.after_uS - data.before_uS)
    steps = np.round(data.volts / 0.02).astype(np.int64)
    group = np.searchsorted(np.quantile(data.before_uS, [0.25, 0.5, 0.75]), data.before_uS)
    _, which = np.unique(np.stack([steps, group], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    largest, noise_uS = 0.05, 0.0
    for moved in np.split(against[order], np.cumsum(np.bincount(which.reshape(-1)))[:-1]):
        backwards = -moved[moved < 0.0]
        share = len(backwards) / len(moved)
        if len(backwards) >= 10 and min(share, 0.42) > largest:
            # Deviation of half a normal law about 0, by its median.
            largest, noise_uS = min(share, 0.42), float(np.median(backwards)) / 0.6745 / math.sqrt(2.0)
    return max(noise_uS, _LEAST_NOISE_US)


def _never_moved(data: Pulses, noise: float) -> Flags:
    """Cells that stay where they were, though they saw pulses of both signs that move nearly all others."""
    moved = np.abs(data.after_uS - data.before_uS) > SEEN * math.sqrt(2.0) * noise
    stays = np.ones(data.cells, dtype=bool)
    low, high = data.first_uS.copy(), data.first_uS.copy()
    np.minimum.at(low, data.cell, data.after_uS)
    np.maximum.at(high, data.cell, data.after_uS)
    stays &= (high - low) < 10.0 * noise + 1e-3 * float(np.max(data.after_uS))
    for sign in (1.0, -1.0):
        chosen = sign * data.volts > 0.0
        if not moved[chosen].any():
            return np.zeros(data.cells, dtype=bool)
        strong = np.zeros(data.cells, dtype=bool)
        strong[data.cell[chosen & (sign * data.volts >= np.median(sign * data.volts[chosen & moved]))]] = True
        stays &= strong
    return stays

_PULSE_S = 1e-6


def add_pulses(device: Device, data: Pulses, progress: Callable[[int, int], None] | None = None) -> Device:
    """The device with the response to the pulses of the data, and the cells that pulses do not move.

    Stuck cells that the device has already, from readings over time, stay. Where a response cannot be fitted, but runs
    of identical pulses can, the device has these alone, and a warning says why. Raises InputError as in
    :func:`fit_pulses`, if there are no runs of identical pulses either.
    """
    update, doubts = fit_updates(data), list[str]()
    if update.model:
        device = replace(device, update=update)
        doubts += _about_update(data, update)
    try:
        fit = fit_pulses(data, device.programming.pulse_s, progress)
    except InputError as error:
        if not update.model:
            raise
        reason = str(error).removeprefix(f"{data.path}: ").removeprefix(f"{data.path.name}: ")
        doubts.append(f"[pulse] is not fitted, so that write-verify cannot program these cells: {reason}")
    else:
        stuck = fit.stuck if device.stuck.fraction == 0.0 else device.stuck
        device = replace(device, pulse=fit.pulse, stuck=stuck, pulse_fit=fit.agreement)
        doubts += fit.doubts
    return replace(device, fit=replace(device.fit, warnings=(*device.fit.warnings, *doubts)))


def _about_update(data: Pulses, update: Update) -> list[str]:
    """What runs of identical pulses do not say, or their law does not follow."""
    volts = np.where(data.volts > 0.0, update.up_V, update.down_V)
    alike = data.where((np.abs(data.volts - volts) < 1e-3) & (volts != 0.0))
    before = np.clip(alike.before_uS, update.g_min_uS, update.g_max_uS)
    steps = np.where(alike.volts > 0.0, update.step(before, 1), update.step(before, -1))
    doubts = about_moves(alike, steps, "[update]")
    if not (update.up_V and update.down_V):
        way, opposite = ("upwards", "downwards") if update.up_V else ("downwards", "upwards")
        doubts.append(f"identical pulses {way} only: [update] has no steps {opposite}, which the data do not show")
    return doubts


def pulsed_device(
    data: Pulses, *, name: str, description: str = "", g_min_uS: float | None = None, g_max_uS: float | None = None,
    command: str = "", progress: Callable[[int, int], None] | None = None,
) -> Device:
    """A device that is known by its response to pulses alone: nothing changes after programming.

    Raises InputError as in :func:`add_pulses`, or if the range is empty.

    Parameters
    ----------
    g_min_uS, g_max_uS
        Range of targets, in uS; by default what the cells went through, less the ends that not all of them reach.
    """
    bare = Device(
        name=name, description=description or f"response to pulses of {data.path.name}",
        programming=Programming(pulse_s=_PULSE_S, source="the width of pulse to which the rates refer"),
        converter=ConverterNoise(source="not part of the data"),
        fit=Fit(
            file=data.path.name, sha256=data.sha256, command=command, cells=data.cells,
            readings=len(data.volts) + data.cells, dropped="nothing", source="readings after pulses only",
        ),
    )
    device = add_pulses(bare, data, progress)
    low, high = (float(v) for v in np.quantile(data.after_uS, [0.05, 0.95]))
    law = device.pulse
    # Nearly all cells must be able to reach a target.
    reach = 0.9 * law.g_high_uS * math.exp(-3.0 * law.high_spread) if law.set_rate > 0.0 else high
    low = float(f"{max(low, 1.2 * law.g_low_uS):.2g}") if g_min_uS is None else g_min_uS
    high = float(f"{min(high, reach):.2g}") if g_max_uS is None else g_max_uS
    if not low < high:
        raise InputError(f"the range of conductances must begin below its end, not at {low:g} and {high:g} uS")
    return replace(device, range=Range(g_min_uS=low, g_max_uS=high, source=f"conductances of {data.path.name}"))
