"""The host link in bad weather: nothing lost, doubled or hung, in numbers.

    python benchmarks/link.py [--transactions 1000000] [--pins 10000] [--resets 50] [--garbage 1000000] [--json FILE]

Every transaction is compared with a model of the memory and of registers in which each access shows, on both sides. The
byte stream is the client and the device's reference with a line in memory between them; the pins are the same client
and verilated Verilog. Damaged bytes are dropped, repeated or have a bit flipped, each as often, both ways.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mho.fpga.link.client import LinkClient
from mho.fpga.link.simulated import PinsTransport, build_pins
from mho.hw.host.link.model import LinkConfig, LinkDevice
from mho.hw.host.link.uart import UartConfig
from tests.fpga.link.noisy_line import ByteNoise, MemoryTransport
from tests.fpga.link.probe import ProbeBus, ProbeTop
from tests.fpga.link.trial import Trial, run_garbage, run_resets

UART = UartConfig(clock_hz=25_000_000, baud=3_000_000)
CFG = LinkConfig(address_width=16, timeout=1000)


def byte_stream(transactions: int, rate: float) -> dict[str, float]:
    """Client and reference."""
    rng, bus = np.random.default_rng(1), ProbeBus()
    noise = ByteNoise(rate, rng), ByteNoise(rate, rng)
    device = LinkDevice(CFG, bus)
    client = LinkClient(MemoryTransport(device.feed, to_device=noise[0], to_host=noise[1]), patience=60)
    client.open()
    trial = Trial(client, bus, random.Random(1))
    begin = time.process_time()
    for _ in range(transactions):
        trial.step()
    trial.check()
    return {
        "transactions": transactions, "damaged_bytes": noise[0].damaged + noise[1].damaged,
        "sent_again": client.retries, "cpu_s": round(time.process_time() - begin, 1),
    }


def pins(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Client and verilated hardware."""
    rng = np.random.default_rng(2)
    noise = ByteNoise(arguments.rate, rng), ByteNoise(arguments.rate, rng)
    program = build_pins(ProbeTop(CFG, UART), folder)
    line = PinsTransport(program, UART, to_device=noise[0], to_host=noise[1])
    client = LinkClient(line, patience=60, wait=0.002)
    client.open()
    trial = Trial(client, None, random.Random(2))
    begin = time.perf_counter()
    for _ in range(arguments.pins):
        trial.step()
    trial.check()
    retries = client.retries
    failed = run_resets(trial, line, arguments.resets)
    run_garbage(trial, line, arguments.garbage)
    result = {
        "transactions": arguments.pins, "damaged_bytes": noise[0].damaged + noise[1].damaged, "sent_again": retries,
        "resets": arguments.resets, "requests_failed_by_reset": failed, "garbage_bytes": arguments.garbage,
        "simulated_s": round(line.now(), 2), "wall_s": round(time.perf_counter() - begin, 1),
    }
    line.close()
    return result


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=1_000_000, help="at the byte stream")
    parser.add_argument("--pins", type=int, default=10_000, help="transactions through the pins")
    parser.add_argument("--resets", type=int, default=50)
    parser.add_argument("--garbage", type=int, default=1_000_000, help="bytes through the pins")
    parser.add_argument("--rate", type=float, default=1e-3, help="damaged bytes")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.pins or arguments.resets or arguments.garbage:
            results["pins"] = pins(arguments, Path(folder))
            print("pins:", results["pins"], flush=True)
    if arguments.transactions:
        results["byte stream"] = byte_stream(arguments.transactions, arguments.rate)
        print("byte stream:", results["byte stream"])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
