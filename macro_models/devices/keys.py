"""Keys of a device file: sections, and the limits of every value by itself."""

from dataclasses import fields

from mho.macro_models.devices.laws import law_kinds
from mho.macro_models.devices.sections.conduction import Conduction
from mho.macro_models.devices.sections.confidence import Confidence
from mho.macro_models.devices.sections.fit import Fit
from mho.macro_models.devices.sections.heat import REVERSIBLE, Heat
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.noise import GENERATORS, ConverterNoise, ReadNoise
from mho.macro_models.devices.sections.programming import Programming, Range, Relaxation, Stuck
from mho.macro_models.devices.sections.pulse import PulseAgreement, PulseResponse
from mho.macro_models.devices.sections.telegraph import Telegraph
from mho.macro_models.devices.sections.temperature import Temperature
from mho.macro_models.devices.sections.update import UPDATES, Update
from mho.macro_models.files.schema import FLAG, TEXT, Choice, ListOf, Number, Optional, Table, Text, Whole

__all__ = ["OF_LAWS", "SECTIONS", "TABLE"]

SCHEMA = 1

SECTIONS = {
    "range": Range,
    "programming": Programming,
    "relaxation": Relaxation,
    "law": Law,
    "temperature": Temperature,
    "heat": Heat,
    "read_noise": ReadNoise,
    "stuck": Stuck,
    "pulse": PulseResponse,
    "converter": ConverterNoise,
    "fit": Fit,
    "confidence": Confidence,
    "pulse_fit": PulseAgreement,
    "update": Update,
    "telegraph": Telegraph,
    "conduction": Conduction,
}


_CONDUCTANCE = Number(0.0, 1e6)
_COEFFICIENTS = ListOf(Number(-1e9, 1e9), least=1)
_CELSIUS, _CHANGE = Number(-273.15, 1000.0), Number(-1e6, 1e6)
_TAIL, _RATIO = Number(0.0, 2.0), Number(0.0, 1e6)
_FIT_LISTS = (
    "g_range_uS",
    "time_range_s",
    "temp_range_C",
    "times_s",
    "n",
    "mean_uS",
    "model_mean_uS",
    "std_uS",
    "model_std_uS",
    "beyond",
    "model_beyond",
    "share_die",
    "share_die_error",
    "share_cell",
    "share_cell_error",
    "cycles_times_s",
    "cycles_range",
    "cycles_mean_uS",
    "cycles_mean_error_uS",
    "cycles_spread",
    "cycles_spread_error",
)
_SPEC = {
    "range": {"g_min_uS": _CONDUCTANCE, "g_max_uS": _CONDUCTANCE},
    "programming": {"accept_uS": _CONDUCTANCE, "pulse_s": Number(1e-12, 1.0), "cycle": Whole(0, 10**12)},
    "relaxation": {
        "g_ref_uS": Number(1e-6, 1e6),
        "temp_C": _CELSIUS,
        "times_s": ListOf(Number(1e-9, 1e11)),
        "sigma_uS": ListOf(_COEFFICIENTS),
    },
    "law": {
        "model": Choice(("", "parametric", "empirical")),
        "temp_C": _CELSIUS,
        "levels_uS": ListOf(_CONDUCTANCE),
        "times_s": ListOf(Number(0.0, 1e11)),
        "kept": ListOf(Number(0.0, 1.0)),
        "shift_uS": ListOf(ListOf(_CHANGE)),
        "low_uS": ListOf(ListOf(_CONDUCTANCE)),
        "high_uS": ListOf(ListOf(_CONDUCTANCE)),
        "low_tail": ListOf(ListOf(_TAIL)),
        "high_tail": ListOf(ListOf(_TAIL)),
        "low_ratio": ListOf(ListOf(_RATIO)),
        "high_ratio": ListOf(ListOf(_RATIO)),
        "quantiles_uS": ListOf(ListOf(ListOf(_CHANGE))),
        "lost": ListOf(ListOf(Number(0.0, 1.0))),
        "lost_uS": _CONDUCTANCE,
        "loss": Choice(("", "weibull")),
        "onset_s": Number(0.0, 1e11),
        "memory": ListOf(ListOf(Number(-1.0, 1.0), least=1)),
        **dict.fromkeys(("die", "cell"), ListOf(Number(0.0, 1.0))),
    },
    "temperature": {
        "acts_on": Choice(("", "time", "change", "table")),
        "activation_eV": Number(0.0, 10.0),
        "error_eV": Number(0.0, 10.0),
        "fitted_C": ListOf(_CELSIUS),
    },
    "heat": {
        "note": TEXT,
        **dict.fromkeys(("row_C", "at_C"), ListOf(_CELSIUS)),
        **dict.fromkeys(("row_s", "lost_s", "at_s"), ListOf(Number(0.0, 1e11))),
        "onset_s": Number(0.0, 1e11),
        **dict.fromkeys(("kept", "lost_part"), ListOf(Number(0.0, 1.0))),
        "quantiles_uS": ListOf(ListOf(ListOf(_CHANGE))),
        **dict.fromkeys(("lost_eV", "lost_error_eV", "rival_eV"), Number(0.0, 10.0)),
        **dict.fromkeys(("lost_C", "reversible_C"), _CELSIUS),
        "lost_levels": ListOf(Number(0.0, 1e6)),
        "lost_uS": _CONDUCTANCE,
        "reversible": Choice(REVERSIBLE),
        "reversible_uS": ListOf(_CONDUCTANCE),
        **dict.fromkeys(("coefficient", "coefficient_error"), ListOf(Number(-10.0, 10.0))),
        "choice": Number(0.0, 1.0),
        "rival": Choice(("", "time", "change")),
        **dict.fromkeys(("heldout", "rival_heldout"), Number(0.0, 1e12)),
        "n": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(
            (f"{who}{what}_uS" for who in ("", "model_", "heldout_") for what in ("mean", "std")), ListOf(_CHANGE)
        ),
    },
    "fit": {
        "file": TEXT,
        "sha256": TEXT,
        "command": TEXT,
        "dropped": TEXT,
        "cells": Whole(),
        "readings": Whole(),
        **{key: ListOf(Number(-1e11, 1e11)) for key in _FIT_LISTS},
        "levels_uS": ListOf(_CONDUCTANCE),
        "level_n": ListOf(ListOf(Number(0.0, 1e11))),
        "level_mean_uS": ListOf(ListOf(_CHANGE)),
        "level_std_uS": ListOf(ListOf(_CONDUCTANCE)),
        "residual_mean_uS": ListOf(ListOf(_CHANGE)),
        "residual_std_uS": ListOf(ListOf(_CHANGE)),
        "warnings": ListOf(TEXT),
    },
    "confidence": {
        "cells": Whole(),
        "dies": Whole(),
        "level_cells": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(("mean_error_uS", "spread_error"), ListOf(ListOf(_CONDUCTANCE))),
        **dict.fromkeys(("mean_memory", "spread_memory"), ListOf(ListOf(Number(-1.0001, 1.0001)))),
        **dict.fromkeys(("die_mean_uS", "die_spread"), ListOf(_CONDUCTANCE)),
        "names": ListOf(TEXT),
        "errors": ListOf(_CONDUCTANCE),
        "memory": ListOf(ListOf(Number(-1.0001, 1.0001))),
        "lost_error": Number(0.0, 10.0),
        **dict.fromkeys(("mean_low_uS", "mean_high_uS", "std_low_uS", "std_high_uS"), ListOf(_CHANGE)),
    },
    "pulse_fit": {
        "unknown": TEXT,
        "errors": ListOf(Number(0.0, 1e12)),
        "volts": ListOf(Number(-100.0, 100.0)),
        "n": ListOf(Number(0.0, 1e12)),
        **dict.fromkeys(("moved_uS", "model_moved_uS", "std_uS", "model_std_uS"), ListOf(_CHANGE)),
    },
    "update": {
        **dict.fromkeys(("model", "down_model"), Choice(UPDATES)),
        **dict.fromkeys(("g_min_uS", "g_max_uS", "up_curve", "down_curve"), _CHANGE),
        **dict.fromkeys(("up_uS", "down_uS", "read_sigma_uS"), _CONDUCTANCE),
        **dict.fromkeys(("up_part", "down_part"), Number(0.0, 1.0)),
        **dict.fromkeys(("cycle_spread", "cell_spread"), Number(0.0, 1e3)),
        **dict.fromkeys(("up_V", "down_V"), Number(-100.0, 100.0)),
        "pulse_s": Number(0.0, 1.0),
        "heldout": ListOf(Number(0.0, 1e6)),
        "n": ListOf(Number(-1e9, 1e9)),
        **dict.fromkeys(("g_uS", "model_g_uS"), ListOf(_CHANGE)),
    },
    "read_noise": {
        "sigma_uS": _COEFFICIENTS,
        "telegraph_uS": ListOf(Number(-1e9, 1e9)),
        "telegraph_fraction": Number(0.0, 1.0),
        "flicker_uS": ListOf(Number(-1e9, 1e9)),
        "flicker_efolds": Number(0.0, 1e3),
        "flicker_read_s": Number(0.0, 1.0),
        "g_ref_uS": Number(0.0, 1e6),
        "generator": Choice(GENERATORS),
    },
    "telegraph": {
        "fraction": ListOf(Number(-1e3, 1e3)),
        "amplitude_uS": ListOf(Number(-1e9, 1e9)),
        "spread": Number(0.0, 3.0),
        "occupancy": ListOf(Number(0.0, 1.0), least=1, most=65),
        "g_ref_uS": Number(1e-6, 1e6),
    },
    "stuck": {"fraction": Number(0.0, 1.0), "values_uS": ListOf(_CONDUCTANCE, least=1)},
    "pulse": {
        **dict.fromkeys(
            ("g_low_uS", "g_high_uS", "initial_uS", "fresh_uS", "formed_uS", "verify_sigma_uS"), _CONDUCTANCE
        ),
        **dict.fromkeys(("set_threshold_V", "reset_threshold_V", "form_threshold_V"), Number(-100.0, 100.0)),
        **dict.fromkeys(("set_spread_V", "reset_spread_V", "form_spread_V"), Number(0.0, 100.0)),
        **dict.fromkeys(("set_slope_V", "reset_slope_V"), Number(1e-3, 100.0)),
        **dict.fromkeys(("set_rate", "reset_rate"), Number(0.0, 1e6)),
        **dict.fromkeys(("high_spread", "initial_spread", "cycle_spread"), Number(0.0, 10.0)),
        "weak_fraction": Number(0.0, 1.0),
        "threshold_share": Number(-1.0, 1.0),
        "weak_factor": Number(1e-6, 1.0),
    },
    "conduction": {
        **dict.fromkeys(("v0_V", "cubic_per_V2"), Number(0.0, 1e3)),
        "access_uA_V2": Number(0.0, 1e6),
        "access_slope": Number(1.0, 10.0),
        "verify_V": Number(1e-3, 10.0),
        **dict.fromkeys(("access_threshold_V", "gate_V", "off_gate_V", "substrate_V"), Number(-10.0, 10.0)),
    },
    "converter": {"spread": FLAG, "sigma_output_mV": Number(0.0, 1e4)},
}
OF_LAWS = {name: kind.section for name, kind in law_kinds().items()}
_SPEC |= {name: kind.spec for name, kind in law_kinds().items()}
TABLE = Table({
    "schema": Choice((SCHEMA,)),
    "name": Text(least=1),
    "description": Optional(TEXT),
    **{
        name: Optional(Table({
            f.name: Optional(TEXT if f.name == "source" else _SPEC[name][f.name]) for f in fields(section)
        }))
        for name, section in {**SECTIONS, **OF_LAWS}.items()
    },
})
