"""Pictures of ``docs/explanation/tile.md``, drawn from what they show: the geometry of a walk, a trace."""
