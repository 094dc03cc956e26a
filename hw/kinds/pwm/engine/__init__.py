"""What a phase-change core does by itself: it calibrates its converters, makes up for drift and programs devices."""
