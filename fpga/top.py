"""The top of a board, as its bitstream and its simulation are made from."""

from hw.board import AnyConfig, BoardTop

__all__ = ["board_top"]


def board_top(cfg: AnyConfig) -> BoardTop:
    """A component with the ports ``rx``, ``tx`` and ``leds`` (three, 1 is lit: alive, busy, error).

    Its only clock domain is ``sync``, of ``cfg.clock_hz``; after reset it waits for the host.
    """
    return BoardTop(cfg)
