"""A device as tables over target and time, for simulators that know no law like its own."""

import textwrap

import numpy as np

from mho.macro_models.devices import Device

_LEVELS, _TIMES = 33, 25
_LAST_S = 3.16e8

LOST = (
    "the shape of its distributions: cells are normal with the mean and deviation of the device",
    "stuck cells, pulses, converters and temperature",
    "a cell's place in them over time, what cells of a chip have in common, and traps: each call draws anew",
)
"""What tables of moments do not hold."""


def _rows(values: np.ndarray) -> str:
    return "[" + ",\n    ".join("[" + ", ".join(f"{v:.6g}" for v in row) + "]" for row in np.atleast_2d(values)) + "]"


def moments_source(device: Device, version: str) -> str:
    """Python: ``G``, ``TIMES`` and tables of mean and deviation of the change, error of programming, read noise.

    ``version`` is what the text is written for.
    """
    low, high = device.range.g_min_uS, device.g_max_uS or device.relaxation.g_ref_uS
    g, temp_C = np.linspace(low, high, _LEVELS), device.data_temp_C
    times_s = [t for t in device.data_times_s if t > 0.0]
    first = min(times_s, default=1.0)
    times = np.unique([*times_s, *np.geomspace(first, _LAST_S, _TIMES)]) if device.relaxes else np.ones(1)
    mean = np.array([device.mean_uS(g, float(t), temp_C) for t in times])
    left = device.window_uS(g) ** 2 / 3.0
    added = np.array([np.sqrt(np.maximum(device.sigma_uS(g, float(t), temp_C) ** 2 - left, 0.0)) for t in times])
    # Noise goes by what cells conduct then, and may also go by what they were programmed to.
    then = np.maximum(g + mean, 0.0)
    noise = np.array([
        np.interp(g, now, device.read_noise_uS(now, float(t), g)) for t, now in zip(times, then, strict=True)
    ])
    return textwrap.dedent("""\
        # Of {name}, written by: mho device export, for {version}.
        # Conductances in uS, times in seconds since programming.
        G = np.array({g}[0])
        TIMES = np.array({times}[0])
        PROGRAMMING = np.array({programming}[0])  # deviation of the error of programming
        MEAN = np.array({mean})  # of what time adds, for each time
        DEVIATION = np.array({added})  # of what time adds
        NOISE = np.array({noise})  # deviation of one read, over the conductance then


        def at(table, g, time):
            row = np.interp(np.log(max(time, TIMES[0])), np.log(TIMES), np.arange(len(TIMES)))
            k = min(int(row), len(TIMES) - 1)
            low, high = table[k], table[min(k + 1, len(TIMES) - 1)]
            return np.interp(g, G, low + (high - low) * (row - k))
        """).format(
        name=device.name, version=version, g=_rows(g), times=_rows(times),
        programming=_rows(device.window_uS(g) / np.sqrt(3.0)),
        mean=_rows(mean), added=_rows(added), noise=_rows(noise),
    )


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
