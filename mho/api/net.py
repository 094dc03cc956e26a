"""Networks compiled for a chip, as a user of Python has them."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from mho.api.chip import Chip
from mho.api.device import Device, device_model
from mho.api.inputs import InputsLike, PathLike, read_cells, read_inputs
from mho.compiler import Network, fitting_of, summarise
from mho.compiler.facts import Fitting, Summary
from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.macro_models.shown import Shown
from mho.macro_models.threads import one_thread
from mho.results.attempt import Attempt
from mho.results.result import Outputs, Result
from mho.runs.backends import BackendLike, backend_of
from mho.sim.build.toolchain import announced_builds

if TYPE_CHECKING:
    from mho.sim.export.listing import Listing
    from mho.sim.programming.instance import Cells


class Net(Shown):
    """A network compiled for a chip.

    Members
    -------
    network
        Program, conductances, calibration, chip and device.
    spent
        What was tried of a network compiled with ``spend``; not in its file.
    """

    spent: tuple[Attempt, ...] = ()

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def chip(self) -> Chip:
        """The chip that it was compiled for."""
        return Chip(self.network.chip)

    @property
    def device(self) -> Device:
        """The device on whose model it was calibrated."""
        return Device(self.network.device)

    @property
    def sha256(self) -> str:
        """Hash of the network file."""
        return self.network.sha256

    def save(self, path: PathLike) -> None:
        """Write a network file (``.mho``), whole or not at all.

        Raises InputError if it cannot be written.
        """
        self.network.save(Path(path))

    def summary(self) -> Summary:
        """Cores, utilisation, products, predicted cycles and what runs where, as plain numbers."""
        return summarise(self.network)

    def fitting(self) -> Fitting:
        """Whether it fits the chip, by how much it does not, and which presets or mesh would do, as plain numbers."""
        return fitting_of(self.network)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the inputs of the model, without that of the batch, by name."""
        return dict(self.network.model.inputs)

    def reference(self, x: InputsLike) -> Outputs:
        """Outputs of the float model for ``x`` of shape (images, ...), in onnxruntime's shape: several by name."""
        from mho.compiler.job import check_shape

        responses = self.network.chip.sensor.model.responses(check_shape(read_inputs(x), self.network.model))
        outputs = self.network.model.compute_all(responses)
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def run(
        self,
        x: InputsLike,
        *,
        cells: "Cells | PathLike | None" = None,
        device: Device | PathLike | None = None,
        time: str | float = "1d",
        temp: float = 25.0,
        compensation: str | None = None,
        seed: int = 0,
        seeds: int | None = None,
        backend: BackendLike = "functional",
        without: Collection[str] = (),
        only: Collection[str] = (),
        limit: int | None = None,
        score: str | None = None,
        keep_codes: bool | None = None,
        device_draws: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        loading: Callable[[int, int], None] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> Result:
        """Run inputs through the network on one chip, or on several.

        Raises InputError if inputs, device, a cause or an option is wrong. Raises ToolError if the simulator is missing
        or fails.

        Parameters
        ----------
        x
            Inputs in the ONNX model's units, (images, ...): an array, a ``.npy`` file or ``"X.npz:key"``. Of a model
            with several inputs a dict of those by name, an ``.npz`` file of them, or all side by side in one array.
        cells
            Run on exactly these cells, which :meth:`program` gave, or the file of them. They are one chip: ``seed`` is
            theirs.
        device
            Device of the cells; ``None``: that of ``cells``, or the one it was compiled for.
        time
            Time since the last programming pass: seconds, or a number with s, m, h, d or y.
        temp
            Temperature, in degrees Celsius.
        compensation
            What the chip does against drift before the run: "none", or of cores that can "global", "column", "affine";
            ``None``: the most that its cores can.
        seed
            Which chip.
        seeds
            Run on that many chips, ``seed`` and those after it; outputs then have a leading axis of ``seeds``.
        backend
            ``"functional"`` (numpy), ``"cosim"`` (the generated Verilog under Verilator), ``"fpga-sim"`` (the Verilog
            of a board, its cells emulated) or ``"fpga"`` (a board); with options :class:`mho.Functional`,
            :class:`mho.Cosim`, :class:`mho.FpgaSim` or :class:`mho.Fpga`, as in ``Cosim(waves="run.fst")``. All give
            the same bits; the last two only without noise that is drawn at every conversion.
        without, only
            Causes of non-ideality to leave out, or to keep: programming, relaxation, read-noise, wire, adc, stuck,
            sensor.
        limit
            Most images to take.
        score
            Which output is scored, of a model with several; ``None``: the first of classes, else the first.
        keep_codes
            Whether to keep the output codes of all images for ``codes`` of the result; ``None``: up to 256 MB of them.
            Everything else, ranges and clipped inputs included, is computed while they stream by.
        device_draws
            With a device that was fitted to measured cells: how many devices are drawn that the same measurement could
            have given, and run too, for ``uncertainty`` of the result; ``None``: 20 with ``seeds``, else 0.
        progress
            Called with (images done, images), over all seeds.
        loading
            Called with (words loaded, words) while cells are loaded into a board.
        note
            Called with a sentence where a simulator is built, which may take minutes, or a board was lost.
        """
        from mho.runs.running import run_network

        chip_cells = None if cells is None else read_cells(cells)
        with one_thread(), announced_builds(note):
            return run_network(
                self.network, read_inputs(x), device=device_model(device, (chip_cells or self.network).device),
                time=time, temp=temp, compensation=compensation, seed=seed, seeds=seeds, backend=backend_of(backend),
                without=without, only=only, limit=limit, score=score, device_draws=device_draws, progress=progress,
                cells=chip_cells, keep_codes=keep_codes, loading=loading, note=note,
            )

    def program(
        self,
        *,
        device: Device | PathLike | None = None,
        pulse_law: Device | PathLike | None = None,
        seed: int | None = None,
        backend: BackendLike = "functional",
        measured: "ArrayLike | PathLike | None" = None,
        form: bool = False,
        screen: bool = True,
        pulses: PathLike | None = None,
        progress: Callable[[int, int], None] | None = None,
        loading: Callable[[int, int], None] | None = None,
        note: Callable[[str], None] | None = None,
        **overrides: object,
    ) -> "Cells":
        """Program the cells of one chip for this network, or take measured ones.

        What comes back has ``save(path)``, ``faults``, ``report`` (figures as plain numbers) and, for each of
        ``cores``, conductances, targets, fault map and dead lines.

        Raises InputError if the device, the map or an option is wrong. Raises ToolError if the simulator is missing or
        fails.

        Parameters
        ----------
        device
            Device of the cells; ``None``: the one the network was compiled for.
        pulse_law
            Device whose answer to pulses is taken; ``None``: that of ``device``, or of ``rram-neurram`` if it has none.
        seed
            Which chip; ``None``: the one whose cells the network was compiled around, or chip 0.
        backend
            ``"functional"`` (the numpy reference), ``"cosim"`` (the engine of the generated Verilog), ``"fpga-sim"``
            (the same with emulated cells, as on a board) or ``"fpga"`` (a board that programs its cells), with options
            as at :meth:`run`. All give the same pulses.
        measured
            Conductances in uS in place of programming, NaN for a dead cell: an array of shape (cores, N, N) or (N, N),
            a ``.npy`` file, or an ``.npz`` file with one such array or one (N, N) for each core.
        form
            The cells are fresh: form them first.
        screen
            Before programming, move cells away that are near their targets already: a dead cell stays, and is faulty.
        pulses
            CSV file for all pulses.
        progress
            Called with (cores done, cores).
        loading
            Called with (words loaded, words) and with (cells done, cells) on a board.
        note
            Called with a sentence where a simulator is built, a board was lost, or the answer to pulses is another
            device's.
        overrides
            Keys of the chip that say how it is programmed, as in ``**{"programming.passes": 1}``.
        """
        from mho.runs.writing import program_net

        law = None if pulse_law is None else device_model(pulse_law, self.network.device)
        with announced_builds(note):
            return program_net(
                self.network, device=device_model(device, self.network.device), pulse_law=law, seed=seed,
                backend=backend_of(backend), measured=measured, form=form, screen=screen, pulses=pulses,
                progress=progress, overrides=overrides, loading=loading, note=note,
            )

    def export(self, directory: PathLike, *, name: str = "network") -> "tuple[Listing, list[str]]":
        """Write what a host of one's own needs to run it on a chip of tiles: C arrays, a driver in C, CMake, and data.

        Raises InputError if the chip has no tiles, the name is none for C, or the folder cannot be made. Raises
        ToolError if a file cannot be written.

        Parameters
        ----------
        directory
            Made if it does not exist.
        name
            Of the files, and of what they define in C.

        Returns
        -------
        What the host loads, sends and takes; and the names of the files.
        """
        from mho.sim.export import build_files, c_files, data_files, list_network

        listing = list_network(self.network)
        texts = {file: text.encode() for file, text in c_files(listing, name).items()}
        texts |= data_files(listing, name) | build_files()
        try:
            (Path(directory) / "zephyr").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{directory}: {error.strerror}") from None
        for file, data in texts.items():
            write_output(Path(directory) / file, data)
        return listing, sorted(texts)

    def _facts(self) -> dict[str, object]:
        model, network = self.network.model, self.network
        sizes = " - ".join(map(str, [model.features, *(layer.outputs for layer in model.layers)]))
        return {"model": model.name, "layers": sizes, "chip": network.chip.name, "device": network.device.name}
