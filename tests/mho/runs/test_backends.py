import pytest

from mho.macro_models.errors import InputError
from mho.runs.backends import BACKENDS, Cosim, Fpga, Functional, backend_of
from mho.sim.backend import HostScheduled


@pytest.mark.parametrize("name", BACKENDS)
def test_backends_are_made_by_name(name: str) -> None:
    backend = backend_of(name, {"port": "somewhere" if name == "fpga" else None, "waves": None}).open(note=print)
    assert backend.name == name
    assert isinstance(backend, HostScheduled)
    backend.close()


def test_an_unknown_backend_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"^backend must be one of functional, cosim, fpga-sim, fpga, not 'gpu'$"):
        backend_of("gpu")


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("functional", {"port": "x"}, "port is for the backend fpga, not functional"),
        ("cosim", {"baud": 9600}, "baud is for the backend fpga, not cosim"),
        ("cosim", {"threads": 0}, "threads must be between 1 and 256, not 0"),
        ("fpga-sim", {"threads": 2}, "threads is for the backend functional or cosim, not fpga-sim"),
        ("fpga-sim", {"waves": "w.fst"}, "waves is for the backend cosim, not fpga-sim"),
        ("cosim", {"jobs": 2}, "jobs is for the backend functional, not cosim"),
        ("functional", {"jobs": 0}, "jobs must be between 1 and 256, not 0"),
        ("fpga", {"port": None}, "the backend fpga needs port, the serial port of the board, as in /dev/ttyUSB1"),
    ],
)
def test_options_belong_to_their_backend(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        backend_of(name, options).check()
    assert str(caught.value) == sentence


def test_a_backend_with_its_options_is_taken_as_it_is() -> None:
    chosen = Functional(threads=2, jobs=3)
    assert backend_of(chosen) is chosen
    assert (chosen.chosen, chosen.processes, chosen.parallel) == ({"threads": 2}, 3, 2)
    assert Cosim(waves="w.fst").chosen == {"waves": "w.fst"}
    assert Fpga(port="/dev/ttyUSB1", baud=9600).chosen == {"port": "/dev/ttyUSB1", "baud": 9600}
