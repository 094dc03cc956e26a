"""For silicon that is new: manual mode at the pins, and what can be trimmed."""
