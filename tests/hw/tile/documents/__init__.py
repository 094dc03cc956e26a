"""The reference page, the C header and the pictures of the tile, made from what they show."""
