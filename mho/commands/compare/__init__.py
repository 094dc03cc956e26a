"""``mho compare``: runs, chips or devices side by side, a module for each."""
