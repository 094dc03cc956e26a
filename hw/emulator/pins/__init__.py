"""The emulated macro behind the pins of the core as it is, write-verify included."""
