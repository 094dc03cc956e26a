"""ONNX's own cases that contain a matrix operation: their inputs through a compiled network on ideal cells."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mho.compiler import CompileOptions, compile_model, import_onnx
from mho.hw.config import load_chip
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, node_cases
from tests.sim.outputs import quantised_outputs

NODES = """
test_causal_conv_with_state_with_past_state_expanded test_causal_conv_with_state_decode_step_expanded
test_causal_conv_with_state_kernel_size_one_expanded test_causal_conv_with_state_with_bias_and_past_state_expanded
test_causal_conv_with_state_silu_with_past_state_expanded test_causal_conv_with_state_fp16_expanded
test_causal_conv_with_state_silu_fp16_expanded test_basic_conv_with_padding test_basic_conv_without_padding
test_conv_with_strides_padding test_conv_with_strides_no_padding test_conv_with_strides_and_asymmetric_padding
test_conv_with_autopad_same test_convinteger_without_padding test_convtranspose test_convtranspose_1d
test_convtranspose_3d test_convtranspose_output_shape test_convtranspose_pad test_convtranspose_kernel_shape
test_convtranspose_pads test_convtranspose_dilations test_convtranspose_autopad_same test_convtranspose_group_2
test_convtranspose_group_2_image_3 test_einsum_inner_prod test_einsum_batch_matmul test_einsum_batch_matmul_bfloat16
test_flexattention_expanded_ver26 test_flexattention_scaled_expanded_ver26 test_flexattention_gqa_expanded_ver26
test_flexattention_diff_head_sizes_expanded_ver26 test_flexattention_score_mod_expanded_ver26
test_flexattention_prob_mod_expanded_ver26 test_flexattention_fp16_expanded_ver26
test_flexattention_double_expanded_ver26 test_flexattention_relative_positional_expanded_ver26
test_gemm_default_zero_bias test_gemm_default_no_bias test_gemm_default_scalar_bias
test_gemm_default_single_elem_vector_bias test_gemm_default_vector_bias test_gemm_default_matrix_bias
test_gemm_transposeA test_gemm_transposeB test_gemm_alpha test_gemm_beta test_gemm_all_attributes test_gru_defaults
test_gru_reverse test_lstm_defaults test_lstm_with_initial_bias test_lstm_with_peepholes test_lstm_batchwise
test_lstm_reverse test_lstm_bidirectional test_matmul_2d test_matmul_3d test_matmul_4d test_matmul_bcast
test_matmul_1d_3d test_matmul_4d_1d test_matmul_1d_1d test_matmulinteger test_qlinearconv
test_qlinearmatmul_2D_uint8_float32 test_qlinearmatmul_3D_uint8_float32 test_qlinearmatmul_2D_uint8_float16
test_qlinearmatmul_3D_uint8_float16 test_qlinearmatmul_2D_int8_float32 test_qlinearmatmul_3D_int8_float32
test_qlinearmatmul_2D_int8_float16 test_qlinearmatmul_3D_int8_float16 test_simple_rnn_defaults
test_simple_rnn_with_initial_bias test_simple_rnn_batchwise test_simple_rnn_reverse
""".split()
CONVERTED = """
test_Conv1d test_Conv1d_dilated test_Conv1d_groups test_Conv1d_pad1 test_Conv1d_pad1size1 test_Conv1d_pad2
test_Conv1d_pad2size1 test_Conv1d_stride test_Conv2d test_Conv2d_depthwise test_Conv2d_depthwise_padded
test_Conv2d_depthwise_strided test_Conv2d_depthwise_with_multiplier test_Conv2d_dilated test_Conv2d_groups
test_Conv2d_groups_thnn test_Conv2d_no_bias test_Conv2d_padding test_Conv2d_strided test_Conv3d test_Conv3d_dilated
test_Conv3d_dilated_strided test_Conv3d_groups test_Conv3d_no_bias test_Conv3d_stride test_Conv3d_stride_padding
test_ConvTranspose2d test_ConvTranspose2d_no_bias test_Linear test_Linear_no_bias test_operator_addmm
test_operator_conv test_operator_convtranspose test_operator_mm
""".split()
"""Of those that torch exported at opset 6."""

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


@cache
def _cases() -> dict[str, Any]:
    return {case.name: case for case in node_cases()}


def _numbers(value: Any) -> Array:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _stored(folder: Path, kind: str) -> Iterator[Array]:
    for k in range(len(list(folder.glob(f"{kind}_*.pb")))):
        yield numpy_helper.to_array(onnx.TensorProto.FromString((folder / f"{kind}_{k}.pb").read_bytes()))


def _check(model: onnx.ModelProto, inputs: list[Array], expected: Array) -> None:
    """All inputs but the first are weights; within 2 % of the output's range."""
    constants = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input]
    if len(names) > len(inputs):
        names = [n for n in names if n not in constants]
    feeds = {n: x for n, x in zip(names, inputs, strict=True) if n not in constants}
    first, *frozen = feeds
    network = import_onnx(model, output=model.graph.output[0].name, frozen={n: feeds[n] for n in frozen})
    x = feeds[first].reshape(-1, *network.input_shape).astype("f4")
    exact = network.compute(x).reshape(expected.shape).astype(np.float64)
    reach = np.ptp(expected.astype(np.float64)) or float(np.abs(expected).max()) or 1.0
    assert np.abs(exact - expected).max() <= 2e-3 * reach
    calibrate = np.concatenate([x] * 4 + [x * s for s in (0.9, 0.8, 1.05)])
    net = compile_model(
        network, load_chip("neurram-core"), calibrate=calibrate.astype("f4"), device="ideal",
        options=CompileOptions(slices=3, seeds=1),
    )
    got = quantised_outputs(net, FunctionalBackend(), x).outputs.reshape(expected.shape).astype(np.float64)
    assert np.abs(got - expected).max() <= 0.02 * reach


def _long(name: str) -> bool:
    """Whether it is one of many alike that take seconds each: one of them is for all."""
    alike = ("test_flexattention", "test_causal_conv")
    return name.startswith(alike) and name != "test_flexattention_expanded_ver26"


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] * _long(n)) for n in NODES])
def test_node_case(name: str) -> None:
    case = _cases()[name]
    inputs, outputs = case.data_sets[0]
    _check(case.model, [_numbers(x) for x in inputs], _numbers(outputs[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTED)
def test_converted_case(name: str) -> None:
    folder = DATA / ("pytorch-operator" if name.startswith("test_operator") else "pytorch-converted") / name
    model = onnx.load(folder / "model.onnx")
    inputs, outputs = (list(_stored(folder / "test_data_set_0", kind)) for kind in ("input", "output"))
    _check(model, inputs, outputs[0])


def test_the_list_is_long() -> None:
    assert len(NODES) >= 60
    assert len(CONVERTED) >= 30
