"""How many threads linear algebra takes: the products are so small that threads only wait for each other.

On a shared machine a second BLAS thread costs more than it brings (measured: 20 to 90 times the elapsed time), and one
thread makes a result independent of the number of cores.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""By these the user decides; the command sets them to 1 where they are not set."""


@cache
def _controller() -> "ThreadpoolController":
    import scipy.linalg  # noqa: F401 (its BLAS must be loaded before libraries are listed)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread(*, always: bool = False) -> AbstractContextManager[object]:
    """One thread within, unless the user has said how many; ``always``: whatever the user has said."""
    if not always and any(name in os.environ for name in VARIABLES):
        return nullcontext()
    return _controller().limit(limits=1, user_api="blas")
