"""The emulator of arrays whose columns share converters."""

from dataclasses import replace
from typing import Any

import numpy as np

from mho.hw.config import Chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.emulator.kind import Integers
from mho.hw.emulator.rows import RowEmulator, RowEmulatorConfig
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import MvmOperation


class _ArrayEmulator(RowEmulator):
    """Weights are differences of cells; offset, gain and bow of a converter are in its thresholds."""

    def fields(self, chip: Chip, core: ArrayCoreConfig) -> dict[str, Any]:
        """Two arrays have codes of their own, and converters without errors: they would need a table each."""
        if core.update_cycles:
            raise InputError(f"{chip.name}: programming.update must be false for an emulator of the array, not true")
        return super().fields(chip, core) | {
            "conversions": core.outputs * core.codes, "digit_bits": core.digit_bits, "row_groups": core.row_groups,
            "each_step": core.digital,
            "tables": core.outputs // ArrayChip.of(chip).adc.columns if core.codes == 1 else 1,
        }

    def check(self, cfg: RowEmulatorConfig, model: Any) -> None:
        """Whatever is drawn at each conversion is refused, and what depends on the word lines that are on."""
        key, config = self._key(model), model.config
        if key.variances is not None:
            raise InputError(
                f"the emulator has no read noise of cells: leave that cause out ({argument('without')} read-noise)"
            )
        noisy = bool(config.noise or config.c_sample_fF)
        if model._errors is not None and (noisy or cfg.tables == 1):
            why = "noise of converters" if noisy else "converters of their own for two arrays"
            raise InputError(f"the emulator has no {why}: leave that cause out ({argument('without')} adc)")
        if "wire" in model.causes & config.active_causes(model.device):
            what = "perfect wires and clamps, and linear cells"
            raise InputError(f"the emulator has {what}: leave that cause out ({argument('without')} wire)")
        super().check(cfg, model)

    def weights(self, model: Any) -> Integers:
        """With all word lines on: those of rows that are off are not driven. Codes of two arrays are in turn."""
        products = self._key(model).products.astype(np.int64)
        return products.reshape(len(products), -1, model.config.columns).transpose(0, 2, 1).reshape(len(products), -1)

    def thresholds(self, model: Any, op: MvmOperation) -> Integers:
        """Of one column of each converter."""
        config, full = model.config, model.config.full_code
        shared = config.share if model.conversions == config.columns else model.conversions
        alone = replace(self._key(model), products=np.ones((1, model.conversions)))

        def codes(sums: Integers) -> Integers:
            numbers = np.zeros(len(sums), dtype=np.uint64)
            converted, _ = model.codes(alone, sums[:, None], numbers, 0, op.step_code)
            return converted[:, ::shared]

        return self.bisected(codes, config.bits, -full, full)

    @staticmethod
    def _key(model: Any) -> Any:
        return model.key(np.ones(model.config.rows, dtype=np.bool_))


EMULATOR = _ArrayEmulator()
