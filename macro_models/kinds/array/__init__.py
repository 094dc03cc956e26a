"""Arrays whose columns share converters: currents into virtual grounds, bit by bit of the inputs."""

from mho.macro_models.kinds import Family
from mho.macro_models.kinds.array.config import ArrayConfig
from mho.macro_models.kinds.array.model import ArrayModel

FAMILY = Family(config=ArrayConfig, model=ArrayModel)
