"""Co-simulation of one core: the process with the simulator, what goes in and out, and its bench.

:mod:`.cosim` is the backend and :mod:`.process` its end of the link; :mod:`.simulator` is the other end, :mod:`.bench`
the verification. :mod:`.commands`, :mod:`.kinds` and :mod:`.strobed` have a module for each kind of core.
"""
