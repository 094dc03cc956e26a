"""Programs of tiles that a person wrote, on every backend."""
