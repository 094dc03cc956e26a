"""Loading: what arrives at a JTAG port is the bitstream, and every failure is one sentence."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from mho.fpga.load import load
from mho.macro_models.errors import InputError, ToolError
from tests.fpga.jtag_port import serve_jtag

ECP5_85F, ECP5_25F, GW1NR, GW2AR = 0x41113043, 0x41111043, 0x1100481B, 0x0000081B
HEAD = bytes.fromhex("ff00ffffffbdb3ffffffff3b000000e2000000")


@pytest.fixture(scope="module")
def bitstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty design for the ECP5 of the ULX3S-85F."""
    folder = tmp_path_factory.mktemp("ecp5")
    (folder / "empty.config").write_text(".device LFE5U-85F\n")
    command = ["ecppack", "--compress", "--input", "empty.config", "--bit", "empty.bit"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "empty.bit"


@pytest.mark.slow
@pytest.mark.cosim("ecppack", "openFPGALoader")
def test_the_bytes_that_arrive_are_the_bitstream(bitstream: Path) -> None:
    with serve_jtag(ECP5_85F) as (port, address):
        report = load("ulx3s-85f", bitstream, remote=address)
    data = bitstream.read_bytes()
    # Only the comment in front of the preamble stays behind.
    assert port.received == data[data.index(b"\xff\xff\xff\xbd\xb3") :]
    assert len(port.received) > 200_000
    assert (report.bytes, report.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert report.tool.startswith("openFPGALoader")


@pytest.mark.cosim("ecppack", "openFPGALoader")
def test_another_device_is_refused(bitstream: Path) -> None:
    sentence = "the device that answers is not the LFE5U-85F-6BG381 of ulx3s-85f: nothing was loaded"
    with serve_jtag(ECP5_25F) as (port, address), pytest.raises(ToolError, match=f"^{sentence}$"):
        load("ulx3s-85f", bitstream, remote=address)
    assert port.received == b""


@pytest.mark.cosim("ecppack", "openFPGALoader")
def test_no_board_and_no_server(bitstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match=r"^there is no remote-bitbang server at 127\.0\.0\.1:1$"):
        load("ulx3s-85f", bitstream, remote="127.0.0.1:1")
    monkeypatch.setenv("OPENFPGALOADER", "no-such-loader")
    with pytest.raises(ToolError, match=r"^openFPGALoader was not found; install it with: apt-get install openfpga"):
        load("ulx3s-85f", bitstream)


MESSAGES = {
    "unable to open ftdi device: -3 (device not found)\nJTAG init failed with: unable to open ftdi device":
        r"^no board was found; ULX3S \(85F\) must be plugged in and switched on$",
    "unable to open ftdi device: -4 (usb_open() failed)\nJTAG init failed with: unable to open ftdi device":
        r'^no permission to use the USB port of ulx3s-85f; put this line into /etc/udev/rules\.d/70-mho\.rules, run '
        r'udevadm control --reload and plug the board in again: SUBSYSTEMS=="usb", ATTRS\{idVendor\}=="0403", ',
    "unable to open ftdi device: -5 (unable to claim usb device)\nJTAG init failed":
        r"^another program uses the USB port of ulx3s-85f$",
    "Open file: DONE\nsomething else": r"^openFPGALoader failed: something else$",
}


@pytest.mark.parametrize(("message", "sentence"), MESSAGES.items())
def test_what_the_loader_says_becomes_a_sentence(
    message: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "message").write_text(message)
    loader = tmp_path / "loader"
    loader.write_text(f"#!/bin/sh\ncat {tmp_path}/message >&2\nexit 1\n")
    loader.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(loader))
    file = tmp_path / "some.bit"
    file.write_bytes(HEAD + ECP5_85F.to_bytes(4, "big") + bytes(100))
    with pytest.raises(ToolError, match=sentence):
        load("ulx3s-85f", file)


def test_what_is_no_bitstream_for_the_board_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.bit"
    with pytest.raises(InputError, match=r"x\.bit: cannot be read \(No such file or directory\)$"):
        load("ulx3s-85f", file)
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"x\.bit: is not a bitstream; mho fpga build ulx3s-85f makes one$"):
        load("ulx3s-85f", file)
    file.write_bytes(HEAD + ECP5_25F.to_bytes(4, "big"))
    with pytest.raises(InputError, match=r"x\.bit: is for LFE5U-25F, and ulx3s-85f has the LFE5U-85F-6BG381$"):
        load("ulx3s-85f", file)
    file.write_bytes(bytes.fromhex("ff0000ff7eaa997e").ljust(135_100, b"\0"))
    with pytest.raises(InputError, match=r"x\.bit: is for iCE40HX8K, and icebreaker has the iCE40UP5K-SG48$"):
        load("icebreaker", file)
    file.write_text(f"//a comment\n{2**16 - 1:b}\n{0x06 << 56 | GW2AR:064b}\n")
    with pytest.raises(InputError, match=r"x\.bit: is for GW2AR, and tang-nano-9k has the GW1NR-LV9QN88PC6/I5$"):
        load("tang-nano-9k", file)
    with pytest.raises(InputError, match=r"^there is no board 'icebraker', did you mean icebreaker\?$"):
        load("icebraker", file)


def test_a_bitstream_that_was_altered_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ulx3s-85f.bit"
    file.write_bytes(HEAD + ECP5_85F.to_bytes(4, "big"))
    (tmp_path / "report.json").write_text(json.dumps({"bitstream": file.name, "bitstream_sha256": "0" * 64}))
    with pytest.raises(InputError, match=r"is not what report\.json beside it says that was built; build it again$"):
        load("ulx3s-85f", file)


def test_a_server_is_named_by_host_and_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFPGALOADER", "true")
    file = tmp_path / "x.bit"
    file.write_bytes(HEAD + ECP5_85F.to_bytes(4, "big"))
    with pytest.raises(InputError, match=r"^--remote must be HOST:PORT, not '3721'$"):
        load("ulx3s-85f", file, remote="3721")


def test_a_board_with_a_bootloader_is_written_to_its_flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = tmp_path / "loader"
    loader.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n')
    loader.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(loader))
    file = tmp_path / "x.bit"
    file.write_bytes(HEAD + ECP5_25F.to_bytes(4, "big"))
    assert [load(board, file).flash for board in ("orangecrab", "colorlight-i5")] == [True, False]
    file.write_text(f"{0x06 << 56 | GW1NR:064b}\n")
    assert load("tang-nano-9k", file, flash=True).flash
    commands = [line for line in (tmp_path / "told").read_text().splitlines() if line.endswith(".bit")]
    assert commands == [f"-b orangeCrab {file}", f"-b colorlight-i5 -m {file}", f"-b tangnano9k -f {file}"]
