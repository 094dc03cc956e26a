"""Devices for other simulators and from them: the same statistics, and what is lost is said."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from mho.cli import run
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, load_device
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.errors import InputError
from mho.macro_models.exchange import export_aihwkit, export_crosssim, import_aihwkit

DRAWS = 200_000


def own(device: Device, target: float, time_s: float) -> np.ndarray:
    cells = programmed(
        np.full(DRAWS, target), device=device, seed=0, core=0, time_s=time_s, causes=frozenset(CAUSES) - {"stuck"}
    )
    return cells.g_uS


@pytest.mark.parametrize("name", ["rram-neurram", "rram-relax", "pcm-generic"])
def test_a_class_for_crosssim_has_the_moments_of_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The interface of simulator.devices.idevice that the class is written for.
    class EmptyDevice:
        def __init__(self, r_min: float, time: float) -> None:
            self.Gmin_norm, self.Gmax_norm, self.Grange_norm, self.time = 0.0, 1.0, 1.0, time
            self.device_params = types.SimpleNamespace(Rmin=r_min)

    for module in ("simulator", "simulator.devices", "simulator.devices.idevice"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setattr(sys.modules["simulator.devices.idevice"], "EmptyDevice", EmptyDevice, raising=False)
    device = load_device(name)
    text, lost = export_crosssim(device)
    assert lost
    assert "for CrossSim 3.2.0" in text
    scope: dict = {}
    exec(compile(text, "mho.py", "exec"), scope)
    np.random.seed(0)  # noqa: NPY002
    top = device.g_max_uS or 40.0
    for target, time_s in ((0.5 * top, 1.0), (0.8 * top, 86400.0)):
        exported = scope["Mho"](1e6 / top, time_s)
        g = top * exported.drift_error(np.full(DRAWS, target / top), time_s)
        mine = own(device, target, time_s)
        assert g.mean() == pytest.approx(mine.mean(), abs=0.02 * mine.std() + 0.005 * target)
        assert g.std() == pytest.approx(mine.std(), rel=0.03)
        read = top * exported.read_noise(np.full(DRAWS, mine.mean() / top)) - mine.mean()
        assert read.std() == pytest.approx(
            float(device.read_noise_uS(mine.mean(), time_s, target)), rel=0.05, abs=1e-9
        )


def test_pcm_goes_to_aihwkit_and_comes_back(tmp_path: Path) -> None:
    device = load_device("pcm-generic")
    assert isinstance(device, DriftDevice)
    text, lost = export_aihwkit(device)
    assert "prog_coeff_g_max_reference" not in text
    assert "for aihwkit 1.1.0" in text.splitlines()[0]
    assert any("nu" in what for what in lost)
    (tmp_path / "pcm.py").write_text(text)
    assert run(["device", "import", str(tmp_path / "pcm.py"), "-o", str(tmp_path / "pcm.toml"), "-q"]) == 0
    back = load_device(tmp_path / "pcm.toml")
    assert isinstance(back, DriftDevice)
    plain = {"source": ""}
    assert {**vars(back.drift), **plain} == {**vars(device.drift), **plain}


def test_another_drift_goes_as_a_table_of_nu() -> None:
    device = load_device("pcm-generic")
    tree = device.to_dict()
    tree["drift"]["nu_mean"] = [0.0, 0.07, 0.07, 0.07]
    from mho.macro_models.devices import device_from_dict

    text, plain = export_aihwkit(device_from_dict(tree))
    assert "CustomDriftPCMLikeNoiseModel" in text
    assert "'nu_mean_lst': [0.07, 0.07" in text
    tree["drift"] |= {"nu_mean": [0.0, -0.01, -0.01, -0.01], "die": [0.0, 0.3]}
    tree["read_noise"]["sigma_uS"] = [0.1]
    _, lost = export_aihwkit(device_from_dict(tree))
    assert [what.split()[0] for what in lost if what not in plain] == ["what", "white", "a"]


@pytest.mark.parametrize(
    "text",
    ["PCMLikeNoiseModel(g_max=10.0, t_0=5.0)", '{"class": "PCMLikeNoiseModel", "g_max": 10.0, "t_0": 5.0}',
     "{'class': 'PCMLikeNoiseModel', 'g_max': 10.0, 't_0': 5}"],
)
def test_calls_dicts_and_json_are_read(text: str) -> None:
    device, lost = import_aihwkit(text, name="mine")
    assert isinstance(device, DriftDevice)
    assert (device.drift.g_ref_uS, device.drift.t_c_s, device.g_max_uS) == (10.0, 5.0, 10.0)
    assert device.drift.sigma_uS == pytest.approx([0.4 * c for c in (0.26348, 1.9650, -1.1731)])
    assert len(lost) == 1


def test_soft_bounds_are_an_answer_to_pulses() -> None:
    device, lost = import_aihwkit("ReRamArrayOMPreset", name="mine", g_min_uS=2.0, g_max_uS=42.0)
    # A pulse at w = 0, the middle, moves a cell by dw_min of a range of 2.
    part = 1.0 - np.exp(-device.pulse.set_rate)
    assert part * (device.pulse.g_high_uS - 22.0) == pytest.approx(0.0949 / 2.0 * 40.0, rel=1e-4)
    assert len(lost) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("LinearStepDevice", "aihwkit: LinearStepDevice has no law here that is equal to it; known are PCMLike"),
        ("Something", "aihwkit: must be one of PCMLikeNoiseModel, "),
        ("PCMLikeNoiseModel(g_max=__import__('os').getpid())", "aihwkit: is neither a name, a call, a dict nor JSON"),
        ("PCMLikeNoiseModel(t0=3)", "aihwkit: unknown argument t0, known are prog_coeff, "),
        ("PCMLikeNoiseModel(t_0='x')", "aihwkit: t_0 must be as 20.0, not 'x'"),
        ("PCMLikeNoiseModel(t_0=-1)", "aihwkit: g_max, t_0, t_read and prog_coeff_g_max_reference must be above 0"),
        ('{"g_max": 3}', 'aihwkit: a dict must have "class"'),
    ],
)
def test_what_is_no_device_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as failure:
        import_aihwkit(text, name="mine")
    assert str(failure.value).startswith(sentence)
    assert len(str(failure.value)) <= 200


def test_the_command_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "export", "pcm-generic", "--to", "aihwkit", "-o", str(tmp_path / "a.py")]) == 0
    assert "lost: a chip keeps its nu" in capsys.readouterr().out
    assert run(["device", "export", "pcm-generic", "--to", "spice", "-o", str(tmp_path / "b.py")]) == 2
    assert "--to must be aihwkit or crosssim, not 'spice'" in capsys.readouterr().err
