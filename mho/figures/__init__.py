"""Pictures of runs, devices and networks."""
