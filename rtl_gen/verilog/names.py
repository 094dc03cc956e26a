"""Identifiers of the generated Verilog, plain and unique, and how its lines are laid out."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

_KEYWORDS = frozenset("""
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
    binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
    constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
    else end endcase endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
    endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect export
    extends extern final first_match for force foreach forever fork forkjoin function generate genvar global highz0
    highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input inside
    instance int integer interconnect interface intersect join join_any join_none large let liblist library local
    localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
    property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1
    tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
    vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
""".split())


@cache
def identifier(name: str) -> str:
    """A plain Verilog identifier for a name of the netlist: ``i__payload`` becomes ``i_payload``."""
    # The netlist numbers signals that share a name.
    plain = re.sub(r"(?<=\w)\$\d+", "", name.removeprefix("\\"))
    plain = re.sub(r"\W", "_", plain)
    plain = re.sub(r"__+", "_", plain).strip("_") or "net"
    if plain[0].isdigit() or plain in _KEYWORDS:
        plain = f"n_{plain}"
    return plain


class Names:
    """Gives each object of one scope an identifier of its own, first come, first served."""

    def __init__(self, reserved: set[str] | None = None) -> None:
        self._taken = set(reserved or ())

    def add(self, proposal: str, instead: str = "") -> str:
        """Reserve ``wanted`` or, if it is taken, ``instead``, ``wanted_2``, ``wanted_3``..."""
        base = identifier(proposal)
        if instead and base.lower() in self._taken and instead.lower() not in self._taken:
            base = identifier(instead)
        name, number = base, 1
        # Tools that ignore case (file systems, VHDL) see the same name in `Top` and `top`.
        while name.lower() in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name.lower())
        return name


LINE = 110
"""Longest line that the writer aims at."""


def range_text(size: int) -> str:
    """Range of a vector, with a space behind it; nothing for one bit."""
    return "" if size == 1 else f"[{size - 1}:0] "


def wrap(text: str, depth: int = 0) -> str:
    """A statement, indented, broken after commas and before operators where it is long."""
    pad = "  " * depth
    if len(pad) + len(text) <= LINE:
        return pad + text
    lines, line = [], pad
    for word in re.split(r"(?<=,) | (?=[|&?:^+-] )", text):
        if len(line) + len(word) > LINE and line.strip():
            lines.append(line.rstrip())
            line = pad + "    "
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


def paragraphs(logic: Iterable[str]) -> Sequence[str]:
    """Assigns together, blocks apart."""
    parts: list[list[str]] = []
    for text in logic:
        if parts and text.startswith("assign") and parts[-1][-1].startswith("assign"):
            parts[-1].append(text)
        else:
            parts.append([text])
    return ["\n".join(part) for part in parts]
