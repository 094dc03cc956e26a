"""What a host has a phase-change core do before a run: its reference comes to the registers that the model has."""

from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import OpLayout, pack_codes
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import Command
from mho.hw.kinds.pwm.engine.reference import CommandReference
from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models import load_device
from mho.macro_models.errors import ToolError
from mho.macro_models.pwm.model import PwmModel
from mho.sim.core.commands import commands_of

DAY = 86400.0


def make(chip: Any, time_s: float, device: str = "pcm-hermes-1dev") -> PwmModel:
    config = chip.macro_config()
    targets = np.random.default_rng(5).uniform(0.0, 10.35, config.cell_map.shape)
    return PwmModel(config, targets, device=load_device(device), seed=3, core=1, time_s=time_s)


def answers(chip: Any, model: PwmModel, prepared: Any) -> Any:
    """Words that the reference of the core gives."""
    file = SettingsFile(PwmCoreConfig.from_chip(chip))
    for address, word in prepared.settings:
        file.write(address, word)
    reference, packed = CommandReference(file, model), []
    for descriptor, words in zip(prepared.descriptors, prepared.inputs, strict=True):
        fields = OpLayout().from_bits(descriptor)
        codes = reference.run(
            Command(fields["wl_select"]), fields["line_select"], fields["op_id"], fields["step_code"], words)
        packed.append(pack_codes(codes.astype(np.int16)))
    return np.array(packed, dtype=np.uint32)


@pytest.mark.slow
@pytest.mark.parametrize("phases", [1, 4])
@pytest.mark.parametrize("how", ["global", "column", "affine"])
def test_commands_compensate_as_the_model_does(how: str, phases: int) -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": phases})
    late, rows = make(chip, DAY), np.arange(16) < 13
    late.compensate(make(chip, 0.0), make(chip, 0.0, "ideal"), how, rows)
    prepared = commands_of(chip).preparation(chip, late)
    assert prepared is not None
    words = answers(chip, PwmModel.from_state(late.state()), prepared)
    prepared.check(words)
    words[-4 if how != "global" else -1, 3] ^= 1
    with pytest.raises(ToolError, match=rf"^compensation \({how}\) of core 1 must find (gain|range) \d+ of column 6"):
        prepared.check(words)


def test_a_core_without_an_engine_or_compensation_is_told() -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True})
    late = make(chip, DAY)
    assert commands_of(chip).preparation(chip, late) is None
    late.compensate(make(chip, 0.0), late, "global", np.ones(16, dtype=bool))
    assert commands_of(load_chip("pwm16-core")) is None
    assert commands_of(load_chip("tnsa16-core")) is None
