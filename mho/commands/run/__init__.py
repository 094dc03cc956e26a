"""``mho run``: a network on a chip, and how well it does."""
