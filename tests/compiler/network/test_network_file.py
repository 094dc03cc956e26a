import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.commands.compile.summary_text import unsigned_lines
from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.program import Call
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError, ToolError
from tests.compiler.importer.onnx_models import random_perceptron

OPTIONS = CompileOptions(seeds=1, samples=16)


@pytest.fixture(scope="module")
def network() -> Network:
    x = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    return compile_model(random_perceptron([9, 12, 3]), load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)


@pytest.fixture
def path(network: Network, tmp_path: Path) -> Path:
    network.save(tmp_path / "net.mho")
    return tmp_path / "net.mho"


@pytest.mark.slow
def test_what_is_read_is_what_was_written(network: Network, path: Path, tmp_path: Path) -> None:
    again = Network.load(path)
    assert again.chip == network.chip
    assert again.device == network.device
    assert again.options == network.options
    assert again.calibration == network.calibration
    assert summarise(again) == summarise(network)
    assert np.array_equal(again.cores[1].targets_uS, network.cores[1].targets_uS)
    again.save(tmp_path / "again.mho")
    assert (tmp_path / "again.mho").read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_compilation_is_deterministic(network: Network, path: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    same = compile_model(random_perceptron([9, 12, 3]), load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)
    same.save(tmp_path / "same.mho")
    assert (tmp_path / "same.mho").read_bytes() == path.read_bytes()


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Network.load(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.99])
def test_cut(path: Path, fraction: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(fraction * len(data))])
    assert "is no network file, or is damaged" in refusal(path)


def rewrite(path: Path, change: dict[str, bytes | None]) -> None:
    """Replaces members of the zip; None removes one."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    for name, data in change.items():
        members.pop(name, None)
        if data is not None:
            members[name] = data
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = comment


def test_altered(path: Path) -> None:
    rewrite(path, {"layer0.bias.npy": b"\x93NUMPY"})
    assert "was altered after it was written" in refusal(path)


def test_an_array_added(path: Path) -> None:
    rewrite(path, {"more.npy": b"1"})
    assert "was altered" in refusal(path)


def test_no_bit_of_the_file_can_flip(path: Path) -> None:
    data = path.read_bytes()
    for position in [*np.random.default_rng(1).integers(0, len(data), 300).tolist(), len(data) - 1]:
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        path.write_bytes(bytes(flipped))
        refusal(path)


def test_nothing_can_be_put_before_or_behind(path: Path) -> None:
    data = path.read_bytes()
    for changed in (data + b"more", b"more" + data):
        path.write_bytes(changed)
        refusal(path)


def test_foreign_files(path: Path, tmp_path: Path) -> None:
    assert "cannot be read as a network file (No such file" in refusal(tmp_path / "absent.mho")
    assert "cannot be read" in refusal(tmp_path)
    foreign = tmp_path / "foreign.mho"
    foreign.write_text("no zip")
    assert "is no network file" in refusal(foreign)
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "it has no network.json or no checksum" in refusal(foreign)
    np.savez(tmp_path / "x.npz", a=np.ones(3))
    shutil.move(tmp_path / "x.npz", foreign)
    assert "is no network file" in refusal(foreign)


def test_a_window_that_is_not_that_of_its_patches(network: Network, path: Path) -> None:
    (call, *rest) = network.program.stages
    assert isinstance(call.operation, Call)
    assert call.operation.window is not None
    window = replace(call.operation.window, first=1)
    wrong = replace(call, operation=replace(call.operation, window=window))
    replace(network, program=replace(network.program, stages=(wrong, *rest))).save(path)
    assert "the window of layer 0 is not that of its patches" in refusal(path)


def test_another_version(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.compiler.network.network.FORMAT", 99)
    network.save(tmp_path / "new.mho")
    monkeypatch.undo()
    assert "has network format 99; this version reads 2 to 4: compile it again" in refusal(tmp_path / "new.mho")


def test_nothing_is_left_where_writing_fails(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"net\.mho: the folder .* does not exist"):
        network.save(tmp_path / "absent" / "net.mho")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ToolError, match="No space left on device"):
        network.save(tmp_path / "net.mho")
    assert list(tmp_path.iterdir()) == []


def test_pickles_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    rewrite(path, {"layer0.bias.npy": (tmp_path / "o.npy").read_bytes()})
    digits = path.read_bytes()[-64:]
    monkeypatch.setattr("mho.compiler.network.file.archive._checksum", lambda data: digits)
    assert "is no network file" in refusal(path)


def test_summary(network: Network) -> None:
    summary = summarise(network)
    assert summary["cores"] == len(network.cores) > 1
    assert summary["schedule"] == "host"
    assert 0 < summary["utilisation"] <= 1
    assert summary["mvms_per_image"] == sum(m.op.segments for layer in network.layers for m in layer.mvms)
    assert summary["cycles_mean"] <= summary["cycles_worst"]
    assert [layer["inputs"] for layer in summary["layers"]] == [9, 12]
    numbers = [m.operation for layer in network.layers for m in layer.mvms]
    segments = [m.op.segments for layer in network.layers for m in layer.mvms]
    assert numbers == [sum(segments[:k]) for k in range(len(segments))]


@pytest.mark.parametrize(("bits", "extra"), [(4, 82), (3, 42)])
def test_what_layers_take_since_their_inputs_have_no_sign_is_told(bits: int, extra: int) -> None:
    """A plane more, with 2^n samples: by the durations of the preset, of layers whose codes are not negative alone."""
    net, chip = import_onnx(random_perceptron([20, 12, 5])), load_chip("neurram-core")
    x = np.random.default_rng(0).uniform(0.0, 1.0, size=(16, 20)).astype("f4")
    options = CompileOptions(in_bits=bits, seeds=1, samples=16)
    summary = summarise(compile_model(net, chip, calibrate=x, device="ideal", options=options))
    layers, said = summary["layers"], " ".join(unsigned_lines(summary))
    assert [layer["unsigned_cycles"] for layer in layers] == [0 if entry["in_signed"] else extra for entry in layers]
    assert any(layer["unsigned_cycles"] for layer in layers)
    for layer in layers:
        assert (f"{layer['name']} at {bits} bits" in said) is not layer["in_signed"]
