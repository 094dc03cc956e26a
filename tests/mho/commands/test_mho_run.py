"""``mho compile`` and ``mho run``: scores, seeds, budgets, JSON, files."""

import json
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.results import score

CAUSES = ["programming", "relaxation", "read-noise", "wire", "adc", "stuck"]


@pytest.fixture
def ran(tiny: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the small network with further arguments and returns the JSON and what was printed."""

    def call(*arguments: str, labels: bool = True) -> tuple[dict[str, Any], str, str]:
        command = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--json", str(tmp_path / "run.json")]
        command += ["--labels", tiny.path("y.npy")] if labels else []
        assert run([*command, *arguments]) == 0
        captured = capsys.readouterr()
        return json.loads((tmp_path / "run.json").read_text()), captured.out, captured.err

    return call


@pytest.mark.slow
def test_compile_reports_and_writes(tiny: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tiny.path("tiny.onnx"), "--calibrate", tiny.path("data.npz") + ":x", "-o", str(tmp_path / "n.mho")]
    assert run(["compile", *files, "--chip", "tnsa16-core", "--json", str(tmp_path / "c.json")]) == 0
    summary = json.loads((tmp_path / "c.json").read_text())["summary"]
    out = capsys.readouterr().out
    assert summary["chip"] == "tnsa16-core"
    assert [layer["name"] for layer in summary["layers"]] == ["hidden", "scores"]
    assert f"{summary['mvms_per_image']:,} conversions an input" in out
    assert (tmp_path / "n.mho").read_bytes() == (tiny.folder / "tiny.mho").read_bytes()


@pytest.mark.slow
def test_compile_with_slices_of_one_layer(tiny: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tiny.path("tiny.onnx"), "--calibrate", tiny.path("x.npy"), "-o", str(tmp_path / "n.mho")]
    command = ["compile", *files, "--chip", "tnsa16-core", "--slices", "scores=2", "--json", str(tmp_path / "c.json")]
    assert run(command) == 0
    hidden, scores = json.loads((tmp_path / "c.json").read_text())["summary"]["layers"]
    assert (hidden["slices"], scores["slices"]) == (1, 2)
    assert f"2 (x {2 ** scores['slice_bits']})" in capsys.readouterr().out
    net = mho.load(tmp_path / "n.mho")
    options = net.network.options
    again = mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.x, slices={"scores": 2})
    assert options == again.network.options
    assert net.summary() == again.summary()


def test_ideal_cells_classify_as_the_float_model(ran: Any) -> None:
    content, out, _ = ran("--device", "ideal")
    assert content["results"][0]["agreement"] >= 0.95
    assert content["accuracy"]["float"] > 0.9
    assert "same class as the float model" in out


def test_the_json_says_what_the_result_is_a_function_of(ran: Any, tiny: Any) -> None:
    content, _, _ = ran("--time", "1h", "--seed", "3", "--without", "adc, wire", "--limit", "50")
    assert content["options"] == {
        "backend": "functional", "device": "rram-neurram", "time_s": 3600.0, "temp_C": 25.0, "seeds": [3],
        "causes": ["programming", "relaxation", "read-noise", "stuck"], "limit": 50,
    }
    assert set(content["versions"]) >= {"mho", "python", "numpy"}
    assert set(content["hashes"]) == {"network", "chip", "device", "input"}
    assert content["images"] == 50
    (result,) = content["results"]
    assert result["mvms"] == 50 * mho.load(tiny.path("tiny.mho")).summary()["mvms_per_image"]
    assert result["chip_time_us"] == pytest.approx(result["cycles"] / content["f_clk_MHz"])
    assert [layer["layer"] for layer in content["layers"]] == ["hidden", "scores"]
    for layer in content["layers"]:
        assert layer["min"] <= layer["max"]
        assert 0 <= layer["saturated"] <= 1


def test_hashes_follow_the_input(ran: Any) -> None:
    whole, part = ran()[0]["hashes"], ran("--limit", "10")[0]["hashes"]
    assert whole["input"] != part["input"]
    assert whole["network"] == part["network"]


def test_same_seed_same_result(ran: Any) -> None:
    first, again, changed = ran("--seed", "5")[0], ran("--seed", "5")[0], ran("--seed", "6")[0]
    assert first["results"] == again["results"]
    assert first["results"][0]["relative_error"] != changed["results"][0]["relative_error"]


def test_seeds_give_mean_deviation_and_each_value(ran: Any) -> None:
    content, out, _ = ran("--seeds", "4", "--seed", "2")
    values = [result["accuracy"] for result in content["results"]]
    assert [result["seed"] for result in content["results"]] == [2, 3, 4, 5]
    assert content["accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert content["accuracy"]["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert out.count("%") >= 4
    single = ran("--seed", "4")[0]["results"][0]
    assert single == content["results"][2]


def test_a_budget_has_every_cause_alone_and_all_together(ran: Any) -> None:
    content, out, _ = ran("--budget", "--seeds", "2")
    rows = {row["name"]: row for row in content["budget"]["rows"]}
    assert list(rows) == ["float", "ideal", *CAUSES, "all"]
    assert content["budget"]["measure"] == "accuracy"
    assert rows["all"]["values"] == [result["accuracy"] for result in content["results"]]
    assert rows["stuck"]["values"] == rows["ideal"]["values"] * 2  # the device has no stuck cells
    assert all(name in out for name in rows)


def test_only_one_cause_is_that_line_of_the_budget(ran: Any) -> None:
    budget = ran("--budget")[0]["budget"]
    only = ran("--only", "relaxation")[0]["accuracy"]["mean"]
    assert only == next(row["mean"] for row in budget["rows"] if row["name"] == "relaxation")


def test_without_labels_the_score_is_the_agreement(ran: Any) -> None:
    content, out, _ = ran("--budget", labels=False)
    assert "accuracy" not in content
    assert "accuracy" not in out
    assert content["budget"]["measure"] == "agreement"
    assert content["budget"]["rows"][0]["mean"] == 1.0


def test_outputs_are_written_in_the_models_shape(ran: Any, tiny: Any, tmp_path: Any) -> None:
    content, _, _ = ran("-o", str(tmp_path / "out.npy"))
    outputs = np.load(tmp_path / "out.npy")
    assert outputs.shape == (90, 3)
    assert outputs.dtype == np.float32
    assert score.accuracy(outputs, tiny.y) == content["results"][0]["accuracy"]
    ran("-o", str(tmp_path / "out.npy"), "--seeds", "2")
    assert np.load(tmp_path / "out.npy").shape == (2, 90, 3)


def test_outside_the_devices_data_there_is_a_warning(ran: Any) -> None:
    content, _, err = ran("--time", "1y", "--temp", "85")
    assert "warning: rram-neurram is fitted from 1 s to" in err
    assert len(content["warnings"]) == 2
    assert "warning" not in ran("--time", "1y", "-q")[2]


@pytest.mark.slow
def test_an_onnx_model_is_compiled_on_the_way(tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = [tiny.path("tiny.onnx"), "--chip", "tnsa16-core", "--set", "adc.bits=6"]
    assert run(["run", *model, "--input", tiny.path("x.npy"), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "calibrating on the first 90 inputs" in captured.err
    assert json.loads(captured.out)["chip"]["adc"]["bits"] == 6


@pytest.mark.slow
@pytest.mark.cosim
def test_cosim_gives_the_same_outputs_and_cycles(ran: Any, tmp_path: Any) -> None:
    functional = ran("-o", str(tmp_path / "f.npy"))[0]
    cosim = ran("-o", str(tmp_path / "c.npy"), "--backend", "cosim")[0]
    assert (tmp_path / "c.npy").read_bytes() == (tmp_path / "f.npy").read_bytes()
    assert cosim["results"] == functional["results"]
    assert cosim["layers"] == functional["layers"]
    assert "verilator" in cosim["versions"]
