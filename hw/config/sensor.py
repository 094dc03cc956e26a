"""``[sensor]``: pixels in front of a chip, whose light its inputs are."""

from dataclasses import asdict, dataclass

from mho.hw.config.keys import Section, key
from mho.macro_models.sensor import LAWS, Sensor


@dataclass(frozen=True, kw_only=True)
class SensorSection(Section):
    """``[sensor]``: how light becomes inputs (:mod:`mho.macro_models.sensor`)."""

    _name = "sensor"
    response: str = key(
        "none", "How a pixel answers to light: none, inputs of networks are no light; linear; power, light to an "
        "exponent; threshold, nothing below a threshold and linear above.", choices=LAWS, later=True,
    )
    full_light: float = key(1.0, "Full light, in the units of a model's inputs.", low=1e-6, high=1e6, later=True)
    exponent: float = key(
        1.0, "Exponent of a power: above 1 superlinear, below 1 sublinear.", low=0.05, high=20.0, later=True
    )
    threshold: float = key(0.0, "Light below which nothing is seen, of full light.", low=0.0, high=0.99, later=True)
    adaptation: float = key(
        0.0, "How far pixels adapt to the mean light of a scene: 0 not, 1 until it is adapted_level.", low=0.0,
        high=1.0, later=True,
    )
    adapted_level: float = key(0.25, "Mean light to which they adapt, of full light.", low=0.001, high=1.0, later=True)
    gain_spread: float = key(
        0.0, "Deviation of the gain from pixel to pixel, relative.", low=0.0, high=1.0, later=True
    )
    dark_spread: float = key(
        0.0, "Deviation of what a pixel gives in the dark, of full light.", low=0.0, high=1.0, later=True
    )

    @property
    def model(self) -> Sensor:
        """The pixels."""
        return Sensor(**asdict(self))
