"""Tables of registers in ``docs/reference``: ``python -m tests.rtl_gen.register_tables`` writes them, in a clone."""

import re
from pathlib import Path

from mho.hw.kinds.tnsa.registers import tnsa_map
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.registers.map import node_map
from mho.rtl_gen.registers import overview

PAGES = {"registers.md": tnsa_map(256), "noc-registers.md": node_map(MeshConfig())}
_FENCE = re.compile(
    r"(?<=<!-- begin: python -m tests.rtl_gen.register_tables -->\n).*(?=<!-- end -->)", re.DOTALL)


def path_of(page: str) -> Path:
    """Where a page is."""
    return Path(__file__).parents[2] / "docs" / "reference" / page


def written(page: str) -> str:
    """The page with its table as the code has it."""
    text, count = _FENCE.subn(lambda _: overview(PAGES[page]), path_of(page).read_text(encoding="utf-8"))
    assert count == 1, page
    return text


if __name__ == "__main__":
    for name in PAGES:
        path_of(name).write_text(written(name), encoding="utf-8")
