"""Co-simulation of one core: the process with the simulator, what goes in and out, and its bench.

:mod:`.cosim` is the backend and :mod:`.process` its end of the link; :mod:`.simulator` is the other end, :mod:`.bench`
the verification. :mod:`.commands` and :mod:`.kinds` have a module for each kind of core that needs one.
"""
