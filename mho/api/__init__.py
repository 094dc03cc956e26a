"""The promised Python interface: chips, devices, networks. Take its names from ``mho``.

Each class is thin: it holds what the folder below made, under a name that is kept (``description``, ``model``,
``network``), and adds what a user does with it.
"""
