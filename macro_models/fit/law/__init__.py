"""The law of a fit: courses over the targets, the order of the cells over time, and what is left in doubt."""
