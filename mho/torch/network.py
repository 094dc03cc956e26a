"""A compiled network on tensors: all stages of its program, with latent weights behind its layers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mho.api.net import Net
from mho.compiler.job import CalibratedLayers
from mho.compiler.network import Network
from mho.compiler.options import layer_name
from mho.compiler.program import Call, Host
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import Encode
from mho.sim.executor import build_cores, core_masks
from mho.torch.cells import CellTables
from mho.torch.export import trained
from mho.torch.host import HostModule, finished
from mho.torch.layer import AnalogLayer, Compiled, Cores
from mho.torch.module import Module, flat, imaged, rounded, straight
from mho.torch.patches import Patches
from mho.torch.stages import StageModule


class AnalogNetwork(Module):
    """A module that computes as a chip does.

    In training (``train()``) a pass is smooth: copies of a layer are computed as one, and with ``noise`` each batch is
    that of another chip. In evaluation (``eval()``) every code is the chip's own: without ``noise`` bit for bit that of
    the functional backend on perfect cells, with it those of another chip at each pass. Both have gradients.

    Attributes
    ----------
    noise
        Whether cells, conversions and converters have the errors of the device.
    layers
        The layers on cores, in order; :attr:`names` are theirs.
    network
        The compiled network that it began as.
    """

    def __init__(self, network: Network, calibrated: CalibratedLayers, tables: CellTables) -> None:
        super().__init__()
        program, model = network.program, network.model
        if program.input.before is not None:
            raise InputError(f"{model.name}: work of the host before the first layer has no form in mho.torch; leave "
                             "it out of the module")
        self.network, self.tables, self.noise, self.calibrated = network, tables, True, calibrated
        sizes, stages = [len(program.input.scale)], list[torch.nn.Module]()
        for stage in program.stages:
            op, elements = stage.operation, sum(sizes[v] for v in stage.inputs)
            if isinstance(op, Call):
                stages.append(Patches(op, elements))
                sizes.append(program.layers[op.layer].outputs * len(op.patches))
            else:
                stages.append(HostModule(op) if isinstance(op, Host) else StageModule(op))
                sizes.append(_size(op, elements))
        result, kernels = calibrated.result, dict[int, set[int]]()
        for stage, patches in zip(program.stages, stages, strict=True):
            if isinstance(stage.operation, Call) and isinstance(patches, Patches):
                kernels.setdefault(stage.operation.layer, set()).add(patches.kernel)
        self.layers: Any = torch.nn.ModuleList(
            AnalogLayer(
                Compiled(k, linear, layer, draft, calibrated.placement, network.chip, result.targets), tables,
                kernels[k].pop() if len(kernels[k]) == 1 else 1)
            for k, (linear, layer, draft) in enumerate(zip(model.layers, program.layers, result.drafts, strict=True))
        )
        self.stages: Any = torch.nn.ModuleList(stages)
        self.hold(input_offset=program.input.offset[:, None], input_scale=program.input.scale[:, None],
                  output_scale=program.output.scale)
        self._share_ranges()

    def _share_ranges(self) -> None:
        """What makes the codes of a layer asks it for its range."""
        self.first_layer: Any = None
        for stage in self.network.program.stages:
            op = stage.operation
            if not isinstance(op, Call):
                continue
            layer, value = self.layers[op.layer], stage.inputs[0]
            reach = lambda layer=layer: layer.reach  # noqa: E731
            if value == 0:
                self.first_layer = layer
                continue
            maker = self.network.program.stages[value - 1].operation
            if isinstance(maker, Call):
                self.layers[maker.layer].following = reach
            elif isinstance(maker, Encode):
                self.stages[value - 1].reach = reach

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, as reports have them."""
        return tuple(layer.name for layer in self.layers)

    def layer(self, name: str) -> AnalogLayer:
        """The layer of a report's name, or of the module that it was made of, as in ``"fc1"``.

        Raises InputError if there is none.
        """
        return self.layers[self.names.index(layer_name(self.names, name, "the network"))]

    def keep_codes(self, keep: bool = True) -> None:
        """Whether passes in evaluation keep the output codes of all layers."""
        for layer in self.layers:
            layer.keep = keep

    @property
    def codes(self) -> dict[str, torch.Tensor]:
        """Output codes of the last pass in half steps by layer, as of a run: (batch, positions * columns) int16."""
        return {layer.name: torch.cat([part for k in range(len(layer.products))
                                       for part in layer.codes[k :: len(layer.products)]], dim=1)
                for layer in self.layers if layer.codes}

    def net(self) -> Net:
        """The network for the weights, biases and ranges that there are now, which stay as training found them."""
        return Net(trained(self))

    def forward(
        self, *inputs: torch.Tensor, measured: Mapping[str, Any] | None = None, **named: torch.Tensor
    ) -> Any:
        """The model's output in its units and shape; of several outputs a dict by name.

        Parameters
        ----------
        inputs, named
            Those of the model in its order or by name, each (batch, ...).
        measured
            Output codes of layers of these inputs by the layers' names, as runs on any backend have them: they take
            the place of what is computed, the gradients stay.
        """
        x = torch.cat([part.reshape(len(part), -1) for part in self._in_order(inputs, named)], dim=1)
        lanes, scale = self.last(x.T, measured or {}).T, self.output_scale
        values = (lanes.double() * scale).to(torch.float32)
        outputs = {output.name: finished(output, values) for output in self.network.model.outputs}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def _in_order(self, inputs: Sequence[torch.Tensor], named: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        names = [name for name, _ in self.network.model.inputs]
        parts_by_name = dict(zip(names, inputs, strict=False)) | dict(named)
        if sorted(parts_by_name) != sorted(names) or len(inputs) + len(named) != len(names):
            raise InputError(f"inputs must be {', '.join(names)}, not {len(inputs)} in order and {', '.join(named)}")
        for (name, shape), part in zip(self.network.model.inputs, (parts_by_name[n] for n in names), strict=True):
            if math.prod(part.shape[1:]) != math.prod(shape):
                raise InputError(f"input {name!r} must have shape [samples, {', '.join(map(str, shape))}], "
                                 f"not {list(part.shape)}")
        return [parts_by_name[name] for name in names]

    def last(self, x: torch.Tensor, measured: Mapping[str, Any]) -> torch.Tensor:
        """Lanes of the last value, (elements, batch), for inputs (features, batch)."""
        codes = {
            layer_name(self.names, name, "measured"): torch.as_tensor(part).to(x.device)
            for name, part in measured.items()
        }
        exact, common = not self.training, torch.randn((), device=x.device)
        cores = self._cores() if exact else None
        prepared = [layer.prepare(self.noise, common, cores) for layer in self.layers]
        for layer in self.layers:
            layer.codes = []
        values: list[torch.Tensor | None] = [self._quantised(x, exact)]
        stages = self.network.program.stages
        last_use = {value: k for k, stage in enumerate(stages) for value in stage.inputs}
        for k, (stage, module) in enumerate(zip(stages, self.stages, strict=True)):
            parts = [part for v in stage.inputs if (part := values[v]) is not None]
            if isinstance(stage.operation, Call):
                layer = self.layers[stage.operation.layer]
                lanes = parts[0] if len(parts) == 1 else torch.cat([flat(part) for part in parts])
                values.append(layer(lanes, module, prepared[stage.operation.layer], codes.get(layer.name)))
            else:
                values.append(module(*_alike(parts, module)))
            for value in stage.inputs:
                if last_use[value] == k:
                    values[value] = None
        result = values[-1]
        assert result is not None
        return flat(result)

    def _cores(self) -> Cores:
        """Cores of one chip, or of a perfect one, and their masks."""
        network, cells = trained(self), self.tables
        cores = build_cores(network, device="ideal") if not self.noise else build_cores(
            network, device=cells.device, seed=int(torch.randint(2**31, ())), time_s=cells.time_s, temp_C=cells.temp_C)
        return list(zip(cores, core_masks(network), strict=True))

    def _quantised(self, x: torch.Tensor, exact: bool) -> torch.Tensor:
        stage, scale = self.network.program.input, self.input_scale
        reach = None if self.first_layer is None else self.first_layer.reach
        scale = scale if reach is None else scale * reach
        scaled = (x - self.input_offset) / scale
        if not exact:
            return rounded(scaled.float(), stage.low, stage.high)
        # Halves are rounded to even, as the host does.
        codes = torch.round(scaled.detach()).clamp(stage.low, stage.high)
        return straight(codes, rounded(scaled, stage.low, stage.high))


def _alike(parts: list[torch.Tensor], module: Any) -> list[torch.Tensor]:
    """Values as a module takes them: all as images, if some are, and else none."""
    shape = next((part.shape for part in parts if part.ndim == 4), None)
    if shape is not None and isinstance(module, StageModule) and module.takes_images(shape, len(parts)):
        return [imaged(part, (shape[3], *shape[1:3])) for part in parts]
    return [flat(part) for part in parts]


def _size(op: Any, elements: int) -> int:
    """Elements that a stage makes of so many."""
    if isinstance(op, Host):
        return op.step.size
    index = getattr(op, "index", None)
    if index is not None:
        return len(index)
    return len(op.left) if hasattr(op, "left") else elements
