"""Keys of a device file: sections, and the limits of every value by itself."""

from collections.abc import Mapping
from dataclasses import fields
from itertools import chain
from typing import Any

from mho.macro_models.compact.models import MODELS
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.laws import law_kinds
from mho.macro_models.devices.sections.heat import REVERSIBLE
from mho.macro_models.devices.sections.noise import GENERATORS
from mho.macro_models.devices.sections.update import UPDATES
from mho.macro_models.files.schema import (
    FLAG,
    TEXT,
    Choice,
    ListOf,
    Number,
    Numbers,
    Optional,
    Spec,
    Table,
    Text,
    Whole,
)

SCHEMA = 1

SECTIONS: Mapping[str, type[Any]] = {
    field.name: field.default_factory  # pyright: ignore[reportAssignmentType]: sections are classes
    for kind in (Device, *(law.device for law in law_kinds().values())) for field in fields(kind)
    if isinstance(field.default_factory, type)
}
"""Classes of all sections by their names, those of laws too."""

_CONDUCTANCE, _PART = Number(0.0, 1e6), Number(0.0, 1.0)
_COEFFICIENTS = ListOf(Number(-1e9, 1e9), least=1)
_CELSIUS, _CHANGE, _TIME = Number(-273.15, 1000.0), Number(-1e6, 1e6), Number(0.0, 1e11)
_CORRELATION, _COUNT = Number(-1.0001, 1.0001), Number(0.0, 1e12)
_ROWS_OF_CHANGE = ListOf(ListOf(_CHANGE))

_SPEC: Mapping[str, tuple[tuple[Spec, str], ...]] = {
    "range": ((_CONDUCTANCE, "g_min_uS g_max_uS"),),
    "programming": ((_CONDUCTANCE, "accept_uS"), (Number(1e-12, 1.0), "pulse_s"), (Whole(0, 10**12), "cycle")),
    "relaxation": (
        (Number(1e-6, 1e6), "g_ref_uS"), (_CELSIUS, "temp_C"), (ListOf(Number(1e-9, 1e11)), "times_s"),
        (ListOf(_COEFFICIENTS), "sigma_uS"),
    ),
    "law": (
        (Choice(("", "parametric", "empirical")), "model"), (Choice(("", "weibull")), "loss"), (_CELSIUS, "temp_C"),
        (_TIME, "onset_s"), (ListOf(_TIME), "times_s"), (_CONDUCTANCE, "lost_uS"), (ListOf(_CONDUCTANCE), "levels_uS"),
        (ListOf(_PART), "kept die cell"), (ListOf(ListOf(_PART)), "lost"), (_ROWS_OF_CHANGE, "shift_uS"),
        (ListOf(ListOf(_CONDUCTANCE)), "low_uS high_uS low_ratio high_ratio"),
        (ListOf(ListOf(Number(0.0, 2.0))), "low_tail high_tail"), (ListOf(_ROWS_OF_CHANGE), "quantiles_uS"),
        (ListOf(ListOf(Number(-1.0, 1.0), least=1)), "memory"),
    ),
    "temperature": (
        (Choice(("", "time", "change", "table")), "acts_on"), (Number(0.0, 10.0), "activation_eV error_eV"),
        (ListOf(_CELSIUS), "fitted_C"),
    ),
    "heat": (
        (TEXT, "note"), (_CELSIUS, "lost_C reversible_C"), (ListOf(_CELSIUS), "row_C at_C"), (_TIME, "onset_s"),
        (ListOf(_TIME), "row_s lost_s at_s"), (_PART, "choice"), (ListOf(_PART), "kept lost_part"),
        (ListOf(_ROWS_OF_CHANGE), "quantiles_uS"), (Number(0.0, 10.0), "lost_eV lost_error_eV rival_eV"),
        (_CONDUCTANCE, "lost_uS"), (ListOf(_CONDUCTANCE), "lost_levels reversible_uS"),
        (Choice(REVERSIBLE), "reversible"), (ListOf(Number(-10.0, 10.0)), "coefficient coefficient_error"),
        (Choice(("", "time", "change")), "rival"), (_COUNT, "heldout rival_heldout"), (ListOf(_COUNT), "n"),
        (ListOf(_CHANGE), "mean_uS std_uS model_mean_uS model_std_uS heldout_mean_uS heldout_std_uS"),
    ),
    "read_noise": (
        (_COEFFICIENTS, "sigma_uS"), (ListOf(Number(-1e9, 1e9)), "telegraph_uS flicker_uS"),
        (_PART, "telegraph_fraction flicker_read_s"), (Number(0.0, 1e3), "flicker_efolds"), (_CONDUCTANCE, "g_ref_uS"),
        (Choice(GENERATORS), "generator"),
    ),
    "stuck": ((_PART, "fraction"), (ListOf(_CONDUCTANCE, least=1), "values_uS")),
    "pulse": (
        (_CONDUCTANCE, "g_low_uS g_high_uS initial_uS fresh_uS formed_uS verify_sigma_uS set_rate reset_rate"),
        (Number(-100.0, 100.0), "set_threshold_V reset_threshold_V form_threshold_V"),
        (Number(0.0, 100.0), "set_spread_V reset_spread_V form_spread_V"),
        (Number(1e-3, 100.0), "set_slope_V reset_slope_V"),
        (Number(0.0, 10.0), "high_spread initial_spread cycle_spread"), (_PART, "weak_fraction"),
        (Number(-1.0, 1.0), "threshold_share"), (Number(1e-6, 1.0), "weak_factor"),
    ),
    "converter": ((FLAG, "spread"), (Number(0.0, 1e4), "sigma_output_mV")),
    "fit": (
        (TEXT, "file sha256 command dropped"), (ListOf(TEXT), "warnings"), (Whole(), "cells readings"),
        (ListOf(Number(-1e11, 1e11)), "g_range_uS time_range_s temp_range_C times_s n mean_uS model_mean_uS std_uS "
         "model_std_uS beyond model_beyond share_die share_die_error share_cell share_cell_error cycles_times_s "
         "cycles_range cycles_mean_uS cycles_mean_error_uS cycles_spread cycles_spread_error"),
        (ListOf(_CONDUCTANCE), "levels_uS"), (ListOf(ListOf(_TIME)), "level_n"),
        (ListOf(ListOf(_CONDUCTANCE)), "level_std_uS"),
        (_ROWS_OF_CHANGE, "level_mean_uS residual_mean_uS residual_std_uS"),
    ),
    "confidence": (
        (Whole(), "cells dies"), (ListOf(_COUNT), "level_cells"), (ListOf(TEXT), "names"),
        (ListOf(_CONDUCTANCE), "errors die_mean_uS die_spread"),
        (ListOf(ListOf(_CONDUCTANCE)), "mean_error_uS spread_error"),
        (ListOf(ListOf(_CORRELATION)), "memory mean_memory spread_memory"), (Number(0.0, 10.0), "lost_error"),
        (ListOf(_CHANGE), "mean_low_uS mean_high_uS std_low_uS std_high_uS"),
    ),
    "pulse_fit": (
        (TEXT, "unknown"), (ListOf(_COUNT), "errors n"), (ListOf(Number(-100.0, 100.0)), "volts"),
        (ListOf(_CHANGE), "moved_uS model_moved_uS std_uS model_std_uS"),
    ),
    "update": (
        (Choice(UPDATES), "model down_model"), (_CHANGE, "g_min_uS g_max_uS up_curve down_curve"),
        (_CONDUCTANCE, "up_uS down_uS read_sigma_uS"), (_PART, "up_part down_part pulse_s"),
        (Number(0.0, 1e3), "cycle_spread cell_spread"), (Number(-100.0, 100.0), "up_V down_V"),
        (ListOf(_CONDUCTANCE), "heldout"), (ListOf(Number(-1e9, 1e9)), "n"), (ListOf(_CHANGE), "g_uS model_g_uS"),
    ),
    "telegraph": (
        (ListOf(Number(-1e3, 1e3)), "fraction"), (ListOf(Number(-1e9, 1e9)), "amplitude_uS"),
        (Number(0.0, 3.0), "spread"), (ListOf(_PART, least=1, most=65), "occupancy"), (Number(1e-6, 1e6), "g_ref_uS"),
    ),
    "conduction": (
        (Number(0.0, 1e3), "v0_V cubic_per_V2"), (_CONDUCTANCE, "access_uA_V2 supply_ohm"),
        (Number(1.0, 10.0), "access_slope"),
        (Number(1e-3, 10.0), "verify_V"), (Number(-10.0, 10.0), "access_threshold_V gate_V off_gate_V substrate_V"),
    ),
    "compact": ((Choice(("", *MODELS)), "model"), (Numbers(Number(-1e30, 1e30)), "constants")),
    **{name: kind.spec for name, kind in law_kinds().items()},
}
"""What the keys of each section may be, several of them where they are alike; every section has a ``source``, too."""


def _table(name: str, section: type[Any]) -> Table:
    """The keys of a section, in the order of its fields."""
    by_key = dict(chain.from_iterable(((key, spec) for key in keys.split()) for spec, keys in _SPEC[name]))
    return Table({f.name: Optional(TEXT if f.name == "source" else by_key[f.name]) for f in fields(section)})


TABLE = Table({
    "schema": Choice((SCHEMA,)), "name": Text(least=1), "description": Optional(TEXT),
    **{name: Optional(_table(name, SECTIONS[name])) for name in _SPEC},
})
