"""Figures of devices: whole, readable, with the data behind the lines."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.cli import run
from mho.figures.device.data import shown_levels
from mho.figures.device.figure import COLUMN_IN, figure_of_device, figure_of_devices
from mho.macro_models.devices import load_device

NAMES = ("pcm-generic", "rram-neurram", "rram-relax")


def laid_out(figure: Figure) -> None:
    """Nothing is cut off, and no panel, with its labels and its legend, touches another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    whole = figure.bbox
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    for box, axes in zip(boxes, figure.axes, strict=True):
        assert box is not None
        assert whole.x0 - 1 <= box.x0 <= box.x1 <= whole.x1 + 1
        assert whole.y0 - 1 <= box.y0 <= box.y1 <= whole.y1 + 1
        if axes.texts:
            letter, title = axes.texts[0].get_window_extent(renderer), axes.yaxis.label.get_window_extent(renderer)
            assert not letter.overlaps(title), "a title lies on the letter of a panel"
        legend = axes.get_legend()
        if legend is not None:
            assert legend.get_window_extent(renderer).y0 >= axes.bbox.y1 - 1, "a legend lies on the data"
    for first, second in combinations(boxes, 2):
        width = min(first.x1, second.x1) - max(first.x0, second.x0)
        height = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert width < 1 or height < 1


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMN_IN)
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_fits_a_column_and_its_parts_keep_clear(name: str, column: str) -> None:
    figure = figure_of_device(load_device(name), column)
    assert figure.get_size_inches()[0] == COLUMN_IN[column]
    assert figure.get_size_inches()[1] < 9.5, "taller than a page"
    laid_out(figure)
    assert figure.get_suptitle() == f"{name} at {load_device(name).data_temp_C:g} °C"
    letters = [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text().startswith("(")]
    assert letters == [f"({chr(97 + k)})" for k in range(len(figure.axes))]


def test_measured_points_lie_on_the_lines() -> None:
    device = load_device("rram-relax")
    figure = figure_of_device(device)
    of_targets, of_times = figure.axes[0], figure.axes[2]
    assert of_times.get_xscale() == "log"
    assert len(of_targets.containers) == 5
    assert len(of_times.containers) == len(shown_levels(device)) == 4
    fit = device.fit
    last = fit.times_s.index(1e5)
    for level, sd, n in zip(fit.levels_uS[2:], fit.level_std_uS[last][2:], fit.level_n[last][2:], strict=True):
        assert device.sigma_uS(level, 1e5) == pytest.approx(sd, rel=0.05, abs=4 * sd / np.sqrt(2 * n))


def test_what_lies_beyond_the_data_is_dashed() -> None:
    device = load_device("pcm-generic")
    axes = next(axes for axes in figure_of_device(device).axes if axes.get_xscale() == "log")
    for line in axes.get_lines():
        times = np.asarray(line.get_xdata(), dtype=float)
        dashed = line.get_linestyle() == "--"
        assert (times.min() >= 86400.0) if dashed else (times.max() <= 86400.0)
    assert sum(line.get_linestyle() == "--" for line in axes.get_lines()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMN_IN)
def test_devices_in_one_figure(column: str) -> None:
    figure = figure_of_devices([load_device(name) for name in NAMES], column)
    laid_out(figure)
    assert len(figure.axes) == 4
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text().split(",")[0] for text in legend.get_texts()] == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_command_draws_every_format(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["device", "show", "pcm-generic", "rram-neurram", "--column", "single", "-o", f"two.{kind}"]) == 0
    assert (tmp_path / f"two.{kind}").read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert "pcm-generic: " in capsys.readouterr().out
    assert run(["device", "show", "ideal", "--column", "triple"]) == 2
    assert capsys.readouterr().err.strip() == "error: --column must be single or double, not 'triple'"
