"""What cannot be compiled is told."""

from pathlib import Path

import pytest

from macro_models.errors import ToolError
from sim.build.verilate import verilate

DESIGN = """module counter (input clk, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + `STEP;
endmodule
"""


@pytest.mark.cosim("verilator", "g++", "make")
def test_what_cannot_be_compiled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path))
    (tmp_path / "design.v").write_text(DESIGN)
    with pytest.raises(ToolError, match=r"^verilator failed with exit code 1; see .*failed-build-\d+\.log$"):
        verilate(tmp_path, [tmp_path / "design.v"], top="counter")
    assert "STEP" in next(tmp_path.glob("failed-build-*.log")).read_text()
