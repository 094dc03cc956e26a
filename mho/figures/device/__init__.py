"""What ``mho device show`` draws: a device with its data, or several devices together."""
