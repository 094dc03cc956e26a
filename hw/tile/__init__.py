"""The tile: its instruction set, programs as text and as a file, and what they do. See ``docs/design/tile.md``."""
