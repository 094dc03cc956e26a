"""Constants of nature."""

BOLTZMANN_EV = 8.617333262e-5  # CODATA 2018 (exact since the SI of 2019), in eV/K
ELECTRON_C = 1.602176634e-19  # exact in the SI
KELVIN = 273.15  # of 0 degrees Celsius
