"""Published and re-measured figures that the mesh is set beside."""

BOOKSIM_SOURCE = (
    "BookSim 2 (github.com/booksim/booksim2, commit 28f43299) with channels and ejection of no delay, so that one "
    "cycle a hop is possible: one-flit packets, XY, 1-cycle router; self-sends included in uniform and hotspot10; "
    "saturation in steps of 3 % of the bound, 1000-cycle samples"
)

BOOKSIM = {
    "8x6": {
        "uniform": (6.6, 0.400, 0.399), "transpose": (6.3, 0.328, 0.510), "bit-complement": (9.1, 0.238, 0.167),
        "neighbour": (5.5, 0.985, 1.000), "hotspot10": (6.5, 0.164, 0.173),
    },
    "8x8": {
        "uniform": (7.3, 0.375, 0.389), "transpose": (7.3, 0.139, 0.344), "bit-complement": (10.0, 0.229, 0.125),
        "hotspot10": (7.1, 0.126, 0.132),
    },
}
"""By mesh and pattern, of routers with one virtual channel of 8 flits: latency of the empty mesh, saturation, accepted
at full load (cycles; flits a node and cycle). Saturation is the largest offered load with a mean latency of at most
three times that of the empty mesh."""

ROUTERS_SOURCE = (
    "open routers placed and routed the same way: yosys 0.52 synth_ecp5, nextpnr-ecp5 0.7, LFE5U-25F-6, registered IO, "
    "best of 2 seeds; none of the others has a position that is a port, but OpenPiton and Stanford"
)

ROUTERS = (
    {"router": "FlooNoC 2fa02eb, unicast, 32 bits, 2 deep", "lut4": 1789, "dpr16x4": 0, "ff": 746, "comb": 1695,
     "mhz": 74.0, "ice40": 1375},
    {"router": "FlooNoC 2fa02eb, multicast, 32 bits, 2 deep", "lut4": 2424, "dpr16x4": 0, "ff": 778, "comb": 2541,
     "mhz": 65.3},
    {"router": "FlooNoC 2fa02eb, unicast, 64 bits, 2 deep", "lut4": 2155, "dpr16x4": 0, "ff": 1066},
    {"router": "OpenPiton 41a14a05, 64 bits, 1 VC x 4", "lut4": 2311, "dpr16x4": 80, "ff": 244, "comb": 3128,
     "mhz": 74.8, "ice40": 2921},
    {"router": "Stanford 4e50ac2, 32 bits, 2 VC x 4", "lut4": 2987, "dpr16x4": 55, "ff": 1120, "comb": 3456,
     "mhz": 75.5},
    {"router": "RaveNoC ffc4683, 32 bits, 2 VC x 4", "lut4": 5400, "dpr16x4": 0, "ff": 1550, "comb": 4835, "mhz": 68.1,
     "ice40": 4201},
    {"router": "OpTiMSoC d799b944, 32 bits, 2 VC, 4 deep", "lut4": 6026, "dpr16x4": 180, "ff": 1690, "comb": 8262,
     "mhz": 85.8},
)
