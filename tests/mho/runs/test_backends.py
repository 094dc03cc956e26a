import pytest

from mho.macro_models.errors import InputError
from mho.runs.backends import BACKENDS, check_backend, open_backend
from mho.sim.backend import HostScheduled


@pytest.mark.parametrize("name", BACKENDS)
def test_backends_are_made_by_name(name: str) -> None:
    backend = open_backend(name, {"port": "somewhere" if name == "fpga" else None, "waves": None}, note=print)
    assert backend.name == name
    assert isinstance(backend, HostScheduled)
    backend.close()


def test_an_unknown_backend_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"^backend must be one of functional, cosim, fpga-sim, fpga, not 'gpu'$"):
        check_backend("gpu", {})


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("functional", {"port": "x"}, "port is for the backend fpga, not functional"),
        ("cosim", {"baud": 9600}, "baud is for the backend fpga, not cosim"),
        ("cosim", {"threads": 0}, "threads must be between 1 and 256, not 0"),
        ("fpga-sim", {"threads": 2}, "threads is for the backend functional or cosim, not fpga-sim"),
        ("fpga-sim", {"waves": "w.fst"}, "waves is for the backend cosim, not fpga-sim"),
        ("fpga", {"port": None}, "the backend fpga needs port, the serial port of the board, as in /dev/ttyUSB1"),
    ],
)
def test_options_belong_to_their_backend(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        check_backend(name, options)
    assert str(caught.value) == sentence
