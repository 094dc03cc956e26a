"""The arithmetic of a phase-change core in integers: operation, converter, digital unit, calibration."""
