"""The core: line registers, sequencer, counters and result bank of one transposable macro."""

from typing import TYPE_CHECKING

from mho.macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from mho.hw.core.bring_up.trim import TrimField, TrimLayout, trim_fields, trimmed
    from mho.hw.core.config import OVERHEAD_CYCLES, CoreConfig
    from mho.hw.core.core import Core
    from mho.hw.core.inputs.loader import pack_inputs
    from mho.hw.core.inputs.masks import BL_SKIP, LINE_MASK, SL_SKIP, WL_MASK, MaskFile, MaskLayout
    from mho.hw.core.layout import OpLayout, pack, unpack
    from mho.hw.core.port import CoreStatus, VectorPort, core_port, join
    from mho.hw.core.reference import CoreReference, timeline
    from mho.hw.core.results.drain import pack_codes, unpack_codes

__all__ = [
    "BL_SKIP",
    "LINE_MASK",
    "OVERHEAD_CYCLES",
    "SL_SKIP",
    "WL_MASK",
    "Core",
    "CoreConfig",
    "CoreReference",
    "CoreStatus",
    "MaskFile",
    "MaskLayout",
    "OpLayout",
    "TrimField",
    "TrimLayout",
    "VectorPort",
    "core_port",
    "join",
    "pack",
    "pack_codes",
    "pack_inputs",
    "timeline",
    "trim_fields",
    "trimmed",
    "unpack",
    "unpack_codes",
]

__getattr__ = lazy_names(__name__, {
    "mho.hw.core.config": ("OVERHEAD_CYCLES", "CoreConfig"),
    "mho.hw.core.core": ("Core",),
    "mho.hw.core.results.drain": ("pack_codes", "unpack_codes"),
    "mho.hw.core.layout": ("OpLayout", "pack", "unpack"),
    "mho.hw.core.inputs.loader": ("pack_inputs",),
    "mho.hw.core.inputs.masks": ("BL_SKIP", "LINE_MASK", "SL_SKIP", "WL_MASK", "MaskFile", "MaskLayout"),
    "mho.hw.core.port": ("CoreStatus", "VectorPort", "core_port", "join"),
    "mho.hw.core.reference": ("CoreReference", "timeline"),
    "mho.hw.core.bring_up.trim": ("TrimField", "TrimLayout", "trim_fields", "trimmed"),
})
