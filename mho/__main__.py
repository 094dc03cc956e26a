"""``python -m mho`` and the command ``mho``: what holds before anything large is imported."""

import os
import sys
from typing import NoReturn

from mho.macro_models.threads import VARIABLES
from mho.terminal import interrupt


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    interrupt.install()
    # Before numpy is imported: the products are so small that threads of the linear algebra only wait for each other.
    for name in VARIABLES:
        os.environ.setdefault(name, "1")
    os.environ["MPLBACKEND"] = "agg"  # files are drawn, whatever windows the user's own scripts want
    try:
        closed = _open_standard_streams()
        from mho.cli import run

        code = 1 if closed else run(sys.argv[1:])
    except KeyboardInterrupt:  # a second one
        code = interrupt.CODE
    except (ImportError, MemoryError, OSError) as error:  # Python itself may not be loaded
        reason = getattr(error, "strerror", None) or str(error) or "there is not enough memory"
        os.write(2, f"error: {reason}\n".encode())
        code = 1
    interrupt.end(code)


def _open_standard_streams() -> bool:
    """Make all three usable, lest a file of ours takes the number of one that is closed; whether stdout is."""
    from mho.macro_models.output import text_stream

    closed = sys.stdout is None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = text_stream(1, "standard output")
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if closed:
        print("error: standard output: cannot be written (it is closed)", file=sys.stderr)
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
    return closed


if __name__ == "__main__":
    main()
