"""In the process of a simulator: the files of the made-up kind are among those of kinds."""

from pathlib import Path

from mho.macro_models import kinds as models
from mho.sim import kinds as bodies

HERE = Path(__file__).parents[1]
models.__path__.append(str(HERE / "macro_models"))
bodies.__path__.append(str(HERE / "sim"))
