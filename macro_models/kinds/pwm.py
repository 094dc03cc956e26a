"""Phase-change core: pulse-width inputs, currents counted by oscillators, one or two devices a sign of a weight."""

from mho.macro_models.integer.pwm.calibration import COMPENSATIONS
from mho.macro_models.kinds import Family
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.model import PwmModel, converters, restore

FAMILY = Family(
    config=PwmConfig, model=PwmModel, compensations=COMPENSATIONS, compensate=PwmModel.compensate,
    converters=converters, restore=restore,
)
