"""Programming of emulated cells by pulses, by the law of their device."""
