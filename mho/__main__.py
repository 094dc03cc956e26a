"""``python -m mho``."""

from mho.cli import main

main()
