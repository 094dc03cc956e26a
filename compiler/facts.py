"""What compiling a network says of it, as plain numbers, strings, lists and dicts: what each key holds."""

from typing import NotRequired, TypedDict


class TimeFacts(TypedDict):
    """How long an input takes, see :class:`mho.compiler.input_time.InputTime`."""

    latency_cycles: float
    latency_us: float
    interval_cycles: float
    interval_us: float


class Step(TypedDict):
    """A step of a network: where it runs (``array``, ``digital`` or ``host``), and what it takes of an image."""

    name: str
    place: str
    operator: str
    positions: int
    level: int
    lanes: int
    inputs: int
    outputs: int
    weights: int
    cells: int
    cores: list[int]
    conversions: int
    cycles_worst: int


class Level(TypedDict):
    """Layers that do not wait for each other, with their cycles one after the other and together."""

    level: int
    layers: list[str]
    cores: list[int]
    cycles_serial: int
    cycles_parallel: int


class HostWork(TypedDict):
    """What the host does, and how many values cross to it and back."""

    name: str
    operators: str
    from_chip: int
    to_chip: int


class NetworkPlan(TypedDict):
    """What runs where: all of an image, and at worst (:func:`mho.compiler.plan.plan`)."""

    steps: list[Step]
    levels: list[Level]
    weights: int
    cells: int
    conversions: int
    cycles_serial: int
    """Products one after the other."""
    cycles_parallel: int
    """Products of a level on different cores at the same time."""
    cycles_core: int
    """Of the busiest core: the least from image to image if several are under way."""
    lanes: int
    """Most that are alive at once."""
    activation_bytes: int
    host: list[HostWork]


class Candidate(TypedDict):
    """A preset that would hold the network, with the fewest cores that do, and its cores."""

    chip: str
    least: int
    there: int


class Fitting(TypedDict):
    """Whether a network fits a chip, and what would do."""

    there: int
    """Cores of the chip."""
    cores: int
    """Cores that are taken."""
    least: int
    """Cores that would do."""
    bound: int
    """Fewer do not do, by proof."""
    missing: int
    """Cores that are needed beyond those of the chip; 0 if it fits."""
    would_fit: list[Candidate]
    mesh: list[int] | None
    """Columns and rows that would do; None if it fits, or none would."""
    figures: str
    """What figures are of that do not fit."""


class Fit(TypedDict):
    """Whether one chip holds the network, and what the figures are of if none does: the key ``fit``."""

    fits: bool
    cores: int
    there: int
    chips: int
    figures: str
    note: str


class Assumed(TypedDict):
    """Bits that a plan without calibration is for, with the fewest and the most that calibration may choose."""

    in_bits: int
    out_bits: int
    conversions: list[int]
    cycles_serial: list[int]


class PlannedTile(TypedDict):
    """What a tile would hold: products of an image, and the cycles that they take at worst."""

    tile: str
    layers: list[str]
    cells: int
    products: int
    cycles: int


class PlannedTiles(TypedDict):
    """What all tiles would hold, or why there are none."""

    tiles: list[PlannedTile]
    refused: str | None
    least: int | None
    """Tiles that would do; None if no number does."""


class Plan(TypedDict):
    """What a model takes on a chip, without calibrating it: what :func:`mho.plan` gives."""

    model: str
    chip: str
    plan: NetworkPlan
    fit: Fitting | None
    """None where it has no form on tiles."""
    assumed: Assumed
    copies: bool
    """Whether copies are placed."""
    tiles: PlannedTiles | None
    """None of chips without programs of tiles."""
    numbers: int
    """How many times the conversions it may take against noise of the cells; 0: no more."""
    warnings: list[str]


class LayerFacts(TypedDict):
    """A layer of a compiled network; cycles are of an image."""

    name: str
    inputs: int
    outputs: int
    relu: bool
    copies: int
    slices: int
    """Sets of cells of a weight."""
    slice_bits: int
    """By which a slice counts more than the next, 0 where there is one."""
    products: int
    in_bits: int
    in_signed: bool
    unsigned_cycles: int
    """That inputs take since their codes have no sign, and so one magnitude plane more than signed ones."""
    out_bits: int
    step_code: int
    positions: int
    cycles_worst: int
    cycles_mean: float
    error: float
    """Of calibration, relative to the standard deviation of the layer's output."""
    clipped: float | None
    """Share of its inputs beyond what its codes reach during calibration."""


class MemoryNeeds(TypedDict):
    """What a tile's program takes of its memories."""

    buffer: int
    parameters: int
    instructions: int


class TileCycles(TypedDict):
    """A tile at work: cycles of an input in its array, as a share of the interval, too."""

    tile: str
    analog_cycles: float
    utilisation: float
    layers: NotRequired[list[str]]
    takes: NotRequired[MemoryNeeds]


class LinkFlits(TypedDict):
    """Flits of an input on a link of the mesh."""

    start: str
    end: str
    flits: float


class TilesFacts(TypedDict):
    """What was predicted of tiles."""

    latency_cycles: float
    interval_cycles: float
    bottleneck: str
    tiles: list[TileCycles]
    links: NotRequired[list[LinkFlits]]
    f_clk_MHz: NotRequired[float]


class RedundancyFacts(TypedDict):
    """Errors of outputs by noise of the cells, relative to them, and what is spent without anything against it."""

    wanted: float
    without: float
    reached: float
    cores: int
    products: int


class OutputFacts(TypedDict):
    """Errors of an output over ``inputs`` of calibration (:class:`mho.compiler.calibration.outputs.OutputError`)."""

    name: str
    inputs: int
    classes: float | None
    classes_aged: float | None
    error: float | None
    error_aged: float | None
    allowed: float
    spread: float | None


class Summary(TimeFacts):
    """Figures of a compiled network, and its time (:class:`TimeFacts`): what :meth:`mho.Net.summary` gives."""

    model: str
    chip: str
    device: str
    cores: int
    cores_least: int | None
    """Cores that would do."""
    cores_bound: int | None
    """Fewer do not do, by proof."""
    schedule: str
    cells_used: int
    cells: int
    utilisation: float
    """0..1."""
    mvms_per_image: int
    cycles_worst: int
    """Of an image, products one after the other."""
    cycles_mean: float
    """Mean of the calibration inputs."""
    layers: list[LayerFacts]
    host: list[str]
    """Operators of each step that the host does on the way."""
    redundancy: RedundancyFacts | None
    tiles: TilesFacts | None
    host_between: list[str]
    """Steps of the host between layers, which tiles wait for."""
    plan: NetworkPlan
    outputs: list[OutputFacts]
    warnings: list[str]
