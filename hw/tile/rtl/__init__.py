"""The hardware of a tile: its controller, the tile with core and node, the mesh of tiles."""
