"""The vector port of a transposable core."""

from mho.hw.core.layout import OpLayout, WordsLayout
from mho.hw.core.masks import MaskLayout
from mho.hw.core.port import VectorPort
from mho.hw.core.write_verify import WritePort, WriteVerifyConfig
from mho.hw.kinds.tnsa.bring_up.manual import manual_port
from mho.hw.kinds.tnsa.bring_up.trim import trim_port
from mho.hw.kinds.tnsa.config import TnsaCoreConfig


def tnsa_port(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> VectorPort:
    """The vector port of a transposable core: :class:`WritePort` if it programs its cells, ``trim``, ``manual``."""
    engine = None if write is None else WritePort(write)
    words = WordsLayout(cfg.output_words) if cfg.ranged else None
    return VectorPort(OpLayout(), MaskLayout(cfg), engine, trim_port(cfg, write), manual_port(cfg, write), words)
