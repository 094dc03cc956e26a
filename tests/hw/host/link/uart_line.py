"""Levels of an asynchronous serial line: the reference of transmitter and receiver."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.host.link.uart import FRACTION_BITS, FRAME_BITS, UartConfig


def edges(cfg: UartConfig) -> NDArray[np.int64]:
    """Clock cycles from the start of a byte to the end of each of its bits."""
    return np.arange(1, FRAME_BITS + 1) * cfg.period // 2**FRACTION_BITS


def encode(cfg: UartConfig, data: bytes, idle: int = 1) -> NDArray[np.uint8]:
    """Level of the line in each clock cycle: what the transmitter sends, with ``idle`` cycles after each byte."""
    lengths = np.append(np.diff(edges(cfg), prepend=0), idle)
    bits = [[0, *(byte >> number & 1 for number in range(8)), 1, 1] for byte in data]
    return np.repeat(np.array(bits, np.uint8).reshape(-1), np.tile(lengths, len(bits)))


def decode(cfg: UartConfig, levels: ArrayLike) -> bytes:
    """Bytes on a line of ``levels``, one a clock cycle: what the receiver takes, bit for bit."""
    line = np.concatenate([[1, 1], np.asarray(levels, np.int64)])
    high = (line[2:] + line[1:-1] + line[:-2]) >= 2
    # From the first low cycle to the middle of each bit.
    samples = cfg.half + np.append(0, edges(cfg)[:-1])
    data, now = bytearray(), 0
    while now < len(high) and not high[now:].all():
        start = now + int(np.argmin(high[now:]))
        if start + samples[0] < len(high) and high[start + samples[0]]:
            now = start + int(samples[0]) + 1
            continue
        if start + samples[-1] >= len(high):
            break
        bits = high[start + samples]
        now = start + int(samples[-1]) + 1
        if bits[-1]:
            data += np.packbits(bits[1:9], bitorder="little").tobytes()
        elif high[now:].any():
            now += int(np.argmax(high[now:]))
        else:
            break
    return bytes(data)
