"""The five figures of the page on noise as a resource, and the numbers that it names.

    python examples/noise/figures.py docs/noise

They take a minute or two of a processor.
"""

import sys
from pathlib import Path

import fingerprint
import hyperdimensional
import matplotlib.pyplot as plt
import mcmc
import reservoir
import solver


def main(folder: Path) -> None:
    """Run all examples, and draw what they found."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in (fingerprint, solver, hyperdimensional, reservoir, mcmc):
        figure, axes = plt.subplots(figsize=(5.2, 3.0), layout="constrained")
        example.draw(axes, example.main())
        figure.savefig(folder / f"{example.__name__}.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
