"""Programs of tiles as text."""
