"""Devices for CrossSim: a class for its folder of custom devices."""

from mho.macro_models.devices import Device
from mho.macro_models.exchange.tables import LOST, moments_source

__all__ = ["VERSION", "export_crosssim"]

VERSION = "CrossSim 3.2.0 (simulator/devices/idevice.py of 0a2eb1e)"
"""What the class is written for, and was run with."""

_CLASS = '''

class Mho(EmptyDevice):
    """CrossSim's conductances are normalised; its time is ``device.time``, in seconds."""

    def _uS(self, matrix):
        top = 1e6 / self.device_params.Rmin
        low = top * self.Gmin_norm / self.Gmax_norm
        return low + (top - low) * (matrix - self.Gmin_norm) / self.Grange_norm, self.Grange_norm / (top - low)

    def programming_error(self, input_):
        g, unit = self._uS(input_)
        return (input_ + np.interp(g, G, PROGRAMMING) * unit * np.random.standard_normal(g.shape)).clip(0, None)

    def drift_error(self, input_, time):
        g, unit = self._uS(input_)
        programmed = self.programming_error(input_)
        if time <= 0:
            return programmed
        change = at(MEAN, g, time) + at(DEVIATION, g, time) * np.random.standard_normal(g.shape)
        return (programmed + change * unit).clip(0, None)

    def read_noise(self, input_):
        g, unit = self._uS(input_)
        return input_ + at(NOISE, g, self.time) * unit * np.random.standard_normal(g.shape)
'''


def export_crosssim(device: Device) -> tuple[str, tuple[str, ...]]:
    """Python for ``simulator/devices/custom``, and what is lost.

    Used with ``programming_error.model``, ``drift_error.model`` and ``read_noise.model`` = ``"Mho"``, on numpy.
    """
    head = "import numpy as np\nfrom simulator.devices.idevice import EmptyDevice\n\n"
    return head + moments_source(device, VERSION) + _CLASS, LOST
