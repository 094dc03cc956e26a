"""Conversions and cores of a chip, spent where they lower the error of a network's outputs most.

What finer inputs and a second slice of a layer win, and cells that layers get by estimate
(:mod:`mho.compiler.mapping.redundancy`), is measured: compiled, and run on chips of the device model that calibration
has not seen. Bits of converters are calibration's own: it takes fewer only where that costs little.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from mho.macro_models.errors import InputError, argument
from mho.results import score
from mho.results.attempt import Attempt, Change

if TYPE_CHECKING:
    from mho.api.inputs import InputsLike
    from mho.api.net import Net

CHIPS, FIRST_SEED, INPUTS = 16, 0xCA11D000, 256
"""Chips on which errors are measured, the first of their seeds, and inputs at most."""
IN_BITS, LEAST_ERROR, STEPS = 8, 0.001, 4
"""Bits of finer inputs; the least error by noise of the cells that can be asked for, and steps to what can be had."""


def spend(build: "Callable[..., Net]", x: "InputsLike", options: Mapping[str, Any], times: object) -> "Net":
    """The network with at most ``times`` the conversions, on no more cores than the chip has, and ``spent``.

    ``build`` compiles with options, of which ``options``, the user's, stay; ``x`` are the inputs of calibration.
    Changes that win more than chance alone are made in turn, the largest gain for a conversion first, as far as they
    still do.

    Raises InputError if ``times`` is below 1, or the network does not compile as it is.
    """
    if not (isinstance(times, int | float) and times >= 1.0):
        raise InputError(f"compile option {argument('spend')} must be a number of at least 1, not {times!r}")
    plain, tried = build(**options), list[Attempt]()
    best = first = _measured(plain, x, ())
    conversions, cores = times * first.conversions, max(first.cores, plain.network.chip.cores)

    @cache
    def attempt(changes: tuple[Change, ...]) -> Attempt:
        with suppress(InputError):  # first, which gains nothing, where the chip has no room
            tried.append(_measured(build(**_with(options, changes)), x, changes))
            return tried[-1]
        return first

    gaining = [trial for change in _changes(plain, build, options) if (trial := attempt((change,))).gain(first)]
    for trial in sorted(gaining, key=lambda t: -t.gain(first) / max(t.conversions - first.conversions, 1)):
        joint = attempt(tuple({change[:2]: change for change in (*best.changes, *trial.changes)}.values()))
        if joint.gain(best) and joint.conversions <= conversions and joint.cores <= cores:
            best = joint
    net = plain if best is first else build(**_with(options, best.changes))
    net.spent = (first, *(replace(trial, kept={*best.changes} >= {*trial.changes}) for trial in tried))
    return net


def _changes(plain: "Net", build: "Callable[..., Net]", options: Mapping[str, Any]) -> Iterator[Change]:
    """Finer inputs and a slice more of each layer; less error by noise of the cells, as far as the chip has cells.

    None of options that the user has chosen.
    """
    for name, in_bits in {layer["name"]: layer["in_bits"] for layer in plain.summary()["layers"]}.items():
        if options.get("in_bits") is None and in_bits < IN_BITS:
            yield "in_bits", name, IN_BITS
        if options.get("slices") is None:
            yield "slices", name, 2
    if options.get("error") is not None:
        return
    least = build(**{**options, "error": LEAST_ERROR}).network.calibration.redundancy
    if least is not None:
        now = min((plain.network.calibration.redundancy or least).without, 1.0)
        for step in range(STEPS):
            limit = now * (least.reached / now) ** ((step + 1) / STEPS)
            yield "error", None, max(LEAST_ERROR, float(f"{1.005 * limit:.3g}"))


def _with(options: Mapping[str, Any], changes: tuple[Change, ...]) -> dict[str, Any]:
    chosen = dict(options)
    for option, layer, value in changes:
        chosen[option] = value if layer is None else {**(chosen.get(option) or {}), layer: value}
    return chosen


def _measured(net: "Net", x: "InputsLike", changes: tuple[Change, ...]) -> Attempt:
    """The error at the time for which the network is calibrated."""
    result = net.run(x, time=net.network.calibration.time_s, seed=FIRST_SEED, seeds=CHIPS, limit=INPUTS, device_draws=0,
                     keep_codes=False)
    mean, deviation = score.mean_and_deviation(
        [score.relative_error(run.outputs, result.reference) for run in result.runs])
    return Attempt(changes=changes, error=mean, uncertainty=deviation / CHIPS**0.5, cores=net.summary()["cores"],
                   conversions=net.summary()["mvms_per_image"])
