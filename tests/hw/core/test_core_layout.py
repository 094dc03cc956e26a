from itertools import product
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.core.layout import OpLayout, pack, unpack
from mho.hw.kinds.tnsa.inputs import OpCheck
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation


def operation(**fields: Any) -> MvmOperation | None:
    try:
        return TnsaOperation(**fields)
    except InputError:
        return None


operations = st.builds(
    operation,
    direction=st.sampled_from(Direction),
    in_bits=st.integers(1, 8),
    in_signed=st.booleans(),
    out_bits=st.integers(1, 8),
    converter=st.sampled_from(Converter),
    relu=st.booleans(),
    early_stop=st.booleans(),
    wl_select=st.integers(0, 7),
    line_select=st.integers(0, 7),
    step_code=st.integers(1, 65535),
).filter(lambda op: op is not None)


@given(op=operations, op_id=st.integers(0, 2**64 - 1))
def test_descriptor_holds_the_whole_operation(op: MvmOperation, op_id: int) -> None:
    assert unpack(pack(op, op_id), TnsaOperation) == (op, op_id)


def test_fields_lie_where_the_contract_says() -> None:
    op = TnsaOperation(direction=Direction.BACKWARD, in_bits=3, in_signed=False, out_bits=5, step_code=0x1234)
    fields = [(1, 1), (3, 4), (0, 1), (5, 4), (0, 1), (0, 1), (1, 1), (0, 3), (0, 3), (0x1234, 16), (0, 3), (77, 64)]
    expected = shift = 0
    for value, width in fields:
        expected |= value << shift
        shift += width
    assert pack(op, 77) == expected
    assert OpLayout().size == shift


@pytest.mark.slow
def test_legal_descriptors_are_the_operations_that_exist() -> None:
    dut = OpCheck()
    simulator = Simulator(dut)

    async def bench(ctx: Any) -> None:
        counts = {True: 0, False: 0}
        for in_bits, in_signed, out_bits, relu, mode, step_code in product(
            range(16), (0, 1), range(16), (0, 1), (0, 1, 4), (0, 1, 0x8000)
        ):
            fields = {
                "in_bits": in_bits, "in_signed": in_signed, "out_bits": out_bits, "relu": relu, "mode": mode,
                "step_code": step_code,
            }
            ctx.set(dut.op, fields)
            legal = bool(ctx.get(dut.legal))
            counts[legal] += 1
            try:
                op, _ = unpack(OpLayout().const(fields).as_bits(), TnsaOperation)
            except InputError:
                assert not legal, fields
            else:
                assert legal, fields
                assert (ctx.get(dut.planes), ctx.get(dut.two)) == (op.planes, op.segments - 1)
        assert min(counts.values()) > 100

    simulator.add_testbench(bench)
    simulator.run()


def test_number_must_have_64_bits() -> None:
    with pytest.raises(InputError, match=r"^op_id must be between 0 and 2\*\*64 - 1, not -1$"):
        pack(TnsaOperation(), -1)


def test_reserved_modes_are_refused() -> None:
    with pytest.raises(InputError, match=r"^mode must be 0, the others are reserved, not 2$"):
        unpack(pack(TnsaOperation()) | 2 << OpLayout()["mode"].offset, TnsaOperation)


@pytest.mark.parametrize("name", MvmOperation.reserved)
def test_bits_that_no_field_has_are_refused(name: str) -> None:
    op = MvmOperation(in_bits=8, out_bits=3)
    early = 1 << OpLayout()["early_stop"].offset
    assert unpack(pack(op) | early, MvmOperation) == (op, 0)
    with pytest.raises(InputError, match=rf"^{name} must be 0 for cores of this kind, not 1$"):
        unpack(pack(op) | 1 << OpLayout()[name].offset, MvmOperation)


def test_products_face_where_their_kind_goes() -> None:
    assert pack(TnsaOperation().facing(Direction.BACKWARD)) == pack(TnsaOperation(direction=Direction.BACKWARD))
    with pytest.raises(InputError, match=r"^direction must be forward for cores of this kind, not backward$"):
        MvmOperation().facing(Direction.FORWARD).facing(Direction.BACKWARD)
    with pytest.raises(InputError, match=r"^operation must be a TnsaOperation, not a MvmOperation$"):
        TnsaOperation.of(MvmOperation())
