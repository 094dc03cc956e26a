"""The core: line registers, sequencer, counters and result bank of one transposable macro."""

from typing import TYPE_CHECKING

from macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from hw.core.bring_up.trim import TrimField, TrimLayout, trim_fields, trimmed
    from hw.core.config import OVERHEAD_CYCLES, CoreConfig
    from hw.core.core import Core
    from hw.core.inputs.loader import pack_inputs
    from hw.core.inputs.masks import BL_SKIP, LINE_MASK, SL_SKIP, WL_MASK, MaskFile, MaskLayout
    from hw.core.layout import OpLayout, pack, unpack
    from hw.core.port import CoreStatus, VectorPort, core_port, join
    from hw.core.reference import CoreReference, timeline
    from hw.core.results.drain import pack_codes, unpack_codes

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
    "hw.core.config": ("OVERHEAD_CYCLES", "CoreConfig"),
    "hw.core.core": ("Core",),
    "hw.core.results.drain": ("pack_codes", "unpack_codes"),
    "hw.core.layout": ("OpLayout", "pack", "unpack"),
    "hw.core.inputs.loader": ("pack_inputs",),
    "hw.core.inputs.masks": ("BL_SKIP", "LINE_MASK", "SL_SKIP", "WL_MASK", "MaskFile", "MaskLayout"),
    "hw.core.port": ("CoreStatus", "VectorPort", "core_port", "join"),
    "hw.core.reference": ("CoreReference", "timeline"),
    "hw.core.bring_up.trim": ("TrimField", "TrimLayout", "trim_fields", "trimmed"),
})
