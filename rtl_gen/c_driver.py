"""A driver in C for a core behind a bus, beside the header of its registers."""

from mho.hw.config import Chip
from mho.hw.host.core.write_map import RESULT_PULSES, RESULT_VALID, WORD_FLAG
from mho.hw.kinds import core_blocks
from mho.macro_models.integer.operation import Direction
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.templates import fill, template

__all__ = ["c_driver"]


def c_driver(chip: Chip, name: str) -> str:
    """Header-only C99 that includes ``name.h`` (:func:`mho.rtl_gen.registers.c_header`); names begin with ``name``."""
    blocks, config = core_blocks(chip), chip.macro_config()
    windows = {entry.name for entry in blocks.registers.windows}
    programs, manual = "targets" in windows, "manual_cmp" in windows
    parts = {"driver_write": programs, "driver_manual": manual, "driver_manual_write": programs and manual}
    values = {
        "MORE": "".join(template(f"{part}.h") for part, is_part in parts.items() if is_part)
                + macro_texts_of(chip).driver(chip),
        "NAME": name.upper(), "name": name.lower(),
        "LINES": f"{chip.lines}u", "OUTPUTS": f"{blocks.cfg.outputs}u", "OUT_BITS": chip.operation_type.most_out_bits,
        "MASK_WORDS": f"{blocks.cfg.mask_words}u",
        "FORWARD": f"{config.inputs(Direction.FORWARD)}u", "BACKWARD": f"{config.inputs(Direction.BACKWARD)}u",
        "FLAG": str(WORD_FLAG), "VALID": str(RESULT_VALID), "PULSES": str(RESULT_PULSES),
    }
    text = fill(template("driver.h"), values)
    # The header of the registers is called after the top as it is.
    return text.replace(f'#include "{name.lower()}.h"', f'#include "{name}.h"')
