"""Synthesis of a design module by module, so that the hierarchy stays and what did not change is not built again.

Area is given twice: mapped alone, without buffers, and buffered and sized by ABC, which is the netlist that is timed.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from rtl_gen.verilog.gating import CLOCK_GATE
from sim.silicon.library import Library, write_whole
from sim.silicon.modules import black_box, instances, macro_stub
from sim.silicon.tools import tool_text

__all__ = ["FANOUT", "PERIOD_PS", "Synthesis"]

PERIOD_PS = 10_000
FANOUT = 12
"""Most loads of a gate in the netlist that is timed."""


class Synthesis:
    """Synthesises modules one at a time, those that the cache does not have.

    Parameters
    ----------
    modules
        Texts of all modules by name.
    timed, plain
        Library of the buffered netlist, and of the area without buffers.
    """

    def __init__(self, modules: dict[str, str], timed: Library, plain: Library, folder: Path, stubs: str = "") -> None:
        self.modules, self.timed, self.plain, self.folder, self.stubs = modules, timed, plain, folder, stubs

    def block(self, name: str) -> tuple[dict[str, Any], Path]:
        """Counts of a module, and its netlist."""
        inner = sorted(set(instances(self.modules[name], self.modules)))
        stubs = "".join(black_box(self.modules[child]) for child in inner)
        if name.endswith(CLOCK_GATE):
            stubs += self.stubs
        if "macro_adapter" in name:
            stubs += macro_stub(self.modules[name])
        source = self.modules[name] + stubs
        key = hashlib.sha256("\0".join([source, self._script(name, "K")]).encode()).hexdigest()[:24]
        counts, netlist = self.folder / f"{key}.json", self.folder / f"{key}.v"
        if not (counts.exists() and netlist.exists()):
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                work = Path(scratch)
                (work / "source.v").write_text(source)
                (work / "script.ys").write_text(self._script(name, "."))
                (work / "drive").write_text(f"set_driving_cell {self.timed.driver}\nset_load 0.02 [all_outputs]\n")
                tool_text(["yosys", "-q", "script.ys"], work)
                found = {kind: self._counts(work / kind, name) for kind in ("plain", "timed")}
                (work / "netlist.v").rename(netlist)
                write_whole(counts, json.dumps(found))
        return json.loads(counts.read_text()), netlist

    def _script(self, name: str, folder: str) -> str:
        """Yosys' script: one synthesis, mapped twice."""
        unused = {lib: " ".join(f"-dont_use {cell}" for cell in lib.unused) for lib in (self.timed, self.plain)}
        sized = f"+strash;ifraig;dc2;dch,-f;map,-B,0.9,-D,{PERIOD_PS // 2};topo;"
        sized += f"buffer,-p,-N,{FANOUT};topo;upsize,-D,{PERIOD_PS // 2};dnsize,-D,{PERIOD_PS // 2}"
        return f"""read_verilog {folder}/source.v
hierarchy -check -top {name}
synth -noabc -top {name}
opt_clean
design -save made
dfflibmap -liberty {self.plain.path}
abc -liberty {self.plain.path} {unused[self.plain]}
opt_clean
tee -q -o {folder}/plain stat -json -liberty {self.plain.path}
design -load made
dfflibmap -liberty {self.timed.path}
abc -liberty {self.timed.path} {unused[self.timed]} -constr {folder}/drive -script {sized}
setundef -zero
opt_clean
tee -q -o {folder}/timed stat -json -liberty {self.timed.path}
write_verilog -noattr -noexpr -nohex -simple-lhs {folder}/netlist.v
"""

    def _counts(self, file: Path, name: str) -> dict[str, float]:
        text = file.read_text()
        found = json.loads(text[text.index("{") :])["modules"][f"\\{name}"]
        flops = sum(n for cell, n in found["num_cells_by_type"].items() if "df" in cell)
        return {"area": found.get("area", 0.0), "flip_flops": flops}
