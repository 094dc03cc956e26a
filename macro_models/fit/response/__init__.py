"""The response of a device to pulses, and to identical pulses, fitted."""
