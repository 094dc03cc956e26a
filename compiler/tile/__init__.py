"""From the geometry of layers to descriptors of tiles. See ``docs/design/tile.md``."""
