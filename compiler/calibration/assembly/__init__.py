"""The program of a network while it is calibrated: how values travel, and what steps and layers become."""
