"""More cells for each weight where outputs are numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.compiler import CompileOptions, compile_model, import_onnx, summarise
from mho.compiler.calibration.cell_noise import cell_error, error_of_outputs
from mho.compiler.mapping.place import place
from mho.compiler.mapping.redundancy import MOST_PRODUCTS, place_within
from mho.hw.config import load_chip
from mho.macro_models.cell_map import DifferentialPairs
from mho.macro_models.devices import load_device
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, perceptron, random_perceptron, reference
from tests.compiler.mapping.test_mapping import check
from tests.sim.outputs import quantised_outputs

DAY = 86_400.0


@given(
    shapes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4), data=st.data(),
    cores=st.sampled_from([1, 4, 20]),
)
@settings(max_examples=8, deadline=None)
def test_noise_is_what_is_wanted_or_the_chip_is_full(
    shapes: list[tuple[int, int]], data: st.DataObject, cores: int
) -> None:
    noise = data.draw(st.lists(st.floats(1e-4, 1.0), min_size=len(shapes), max_size=len(shapes)))
    positions = data.draw(st.lists(st.integers(1, 9), min_size=len(shapes), max_size=len(shapes)))
    cell_map = DifferentialPairs(16, 32)
    placement, redundancy = place_within(
        shapes, cell_map, noise=noise, limit=0.2, ends=0.3, positions=positions, cores=cores
    )
    check(placement, shapes)
    plain = place(shapes, cell_map, noise=noise, cores=cores)

    def error(p: Any) -> float:
        cells = [sum(len(b.rows) * len(b.columns) for b in p.of_layer(k)) for k in range(len(shapes))]
        share = [n / (a * b) for n, (a, b) in zip(cells, shapes, strict=True)]
        return float(np.sqrt(sum(variance * (0.3 + 0.7 / n) / n for variance, n in zip(noise, share, strict=True))))

    def products(p: Any) -> int:
        return sum(positions[b.layer] for b in p.blocks)

    assert redundancy.without == pytest.approx(error(plain))
    assert redundancy.reached == pytest.approx(error(placement))
    assert (redundancy.cores, redundancy.products) == (plain.cores, products(plain))
    assert redundancy.reached <= redundancy.without
    assert products(placement) <= MOST_PRODUCTS * products(plain)
    if plain.least <= cores:
        assert placement.cores <= cores
    if redundancy.without <= 0.2:
        assert (placement.cores, len(placement.blocks)) == (plain.cores, len(plain.blocks))


def test_a_network_takes_the_cores_of_its_chip() -> None:
    shapes, cell_map = [(100, 40), (40, 100)], DifferentialPairs(64, 128)
    placement, redundancy = place_within(
        shapes, cell_map, noise=[0.02, 0.1], limit=0.09, ends=0.5, positions=[1, 1], cores=48
    )
    assert redundancy.without > 0.15
    assert redundancy.reached <= 0.09
    assert redundancy.cores < placement.cores <= 48
    assert (placement.least, placement.bound) == (place(shapes, cell_map).least, place(shapes, cell_map).bound)


def test_groups_take_cores_and_no_more_products() -> None:
    """Channel by channel and a layer after it: the groups' cells are more, their products as many."""
    shapes, cell_map = [(72, 8, 8), (8, 20)], DifferentialPairs(64, 128)
    options: dict[str, Any] = {"noise": [0.1, 0.02], "ends": 0.5, "positions": [9, 1]}
    placement, redundancy = place_within(shapes, cell_map, limit=0.05, cores=48, **options)
    plain = place(shapes, cell_map, noise=options["noise"], cores=48)
    assert redundancy.reached < redundancy.without
    assert len(placement.of_layer(0)) == len(plain.of_layer(0))
    cells = [sum(len(b.rows) * len(b.columns) for b in p.of_layer(0)) for p in (plain, placement)]
    assert cells[1] >= cells[0]
    assert plain.cores <= placement.cores <= 48
    for k, (_, outputs, *_) in enumerate(shapes):
        assert {o for b in placement.of_layer(k) for o in b.outputs.tolist()} == set(range(outputs))
    same, without = place_within(shapes, cell_map, limit=0.99, cores=48, **options)
    assert (same.cores, same.rows, without.reached) == (plain.cores, plain.rows, redundancy.without)


def test_error_of_a_weight() -> None:
    """As measured cells: 1 to 4 uS at one day, of 39 uS that a pair can make."""
    chip, device = load_chip("neurram-core"), load_device("rram-neurram")
    assert cell_error(chip, load_device("ideal"), DAY)[0] < 1e-9
    (new, _), (aged, ends) = (cell_error(chip, device, time_s) for time_s in (0.0, DAY))
    assert 0.47 * 0.5 / 39 < new < aged < 0.47 * 5.0 / 39
    assert 0.2 < ends < 0.5


def test_error_of_outputs_is_that_of_the_model() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6))
    plain = import_onnx(random_perceptron([6, 5, 4], final=None))
    assert error_of_outputs(plain, x) == pytest.approx(1.0 / np.sqrt((plain.compute(x) ** 2).mean()), rel=1e-3)
    whole = import_onnx(random_perceptron([6, 5, 6], final="Sigmoid"))
    assert error_of_outputs(whole, x) == pytest.approx(1.0 / np.sqrt((whole.compute(x) ** 2).mean()), rel=1e-3)
    steep = import_onnx(random_perceptron([6, 5, 4], final="Sigmoid"))
    y = steep.compute(x)
    slope = np.sqrt(((y * (1 - y)) ** 2).mean())
    assert error_of_outputs(steep, x) == pytest.approx(slope / np.sqrt((y**2).mean()), rel=0.02)


@pytest.mark.parametrize(
    ("sizes", "final", "numbers"),
    [((6, 5, 1), None, True), ((6, 5, 6), None, True), ((6, 5, 6), "Sigmoid", True), ((6, 5, 4), None, False),
     ((6, 5, 4), "Softmax", False), ((6, 5, 1), "Sigmoid", False), ((6, 5, 6), "Softmax", False)],
)
def test_which_outputs_are_numbers(sizes: tuple[int, ...], final: str | None, numbers: bool) -> None:
    assert import_onnx(random_perceptron(sizes, final=final)).gives_numbers is numbers


def test_an_image_is_of_numbers() -> None:
    weights = {"k": np.ones((2, 1, 3, 3), dtype="f4")}
    model = build([node("Conv", "x k", "y")], weights, shape=("n", 1, 6, 6), output=("n", 2, 4, 4))
    assert import_onnx(model).gives_numbers


@pytest.mark.slow
def test_classifiers_are_placed_as_before() -> None:
    model, x = random_perceptron([20, 12, 5]), np.random.default_rng(0).normal(size=(16, 20)).astype("f4")
    network = compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=CompileOptions(seeds=1))
    assert summarise(network)["redundancy"] is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.long
def test_autoencoder_after_a_day() -> None:
    """Trained here on digits: its error after a day is within 10 %, without more cells above that."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPRegressor

    x: Array = load_digits(return_X_y=True)[0] / 16
    trained = MLPRegressor(hidden_layer_sizes=(48, 20, 48), random_state=7, max_iter=60).fit(x[:1200], x[:1200])
    model = perceptron(list(zip(trained.coefs_, trained.intercepts_, strict=True)), final=None)
    x = x.astype("f4")
    expected, backend = reference(model, x[1200:1400]), FunctionalBackend()

    def error(outputs: Array) -> float:
        return float(np.sqrt(((outputs - expected) ** 2).mean() / (expected**2).mean()))

    errors: dict[float | None, tuple[float, float]] = {}
    for limit in (None, 1.0):
        options = CompileOptions(error=limit)
        network = compile_model(model, load_chip("neurram"), calibrate=x[:200], options=options)
        aged = [error(execute(network, backend, x[1200:1400], seed=s, time_s=DAY).outputs) for s in range(3)]
        errors[limit] = error(quantised_outputs(network, backend, x[1200:1400]).outputs), float(np.mean(aged))
    assert errors[None][0] <= 0.05
    assert errors[None][1] <= 0.1
    assert errors[None][1] < 0.8 * errors[1.0][1]
