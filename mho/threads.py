"""How many threads linear algebra takes: the products are so small that threads only wait for each other."""

import os
from contextlib import AbstractContextManager, nullcontext

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""By these the user decides; the command sets them to 1 where they are not set."""


def one_thread() -> AbstractContextManager[object]:
    """One thread within, unless the user has said how many."""
    if any(name in os.environ for name in VARIABLES):
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")
