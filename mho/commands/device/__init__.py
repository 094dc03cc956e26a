"""``mho device``: the models of memory cells; fitted from tables, exchanged with other simulators."""
