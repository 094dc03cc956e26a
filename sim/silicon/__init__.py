"""Area, speed and energy of generated Verilog in a library of standard cells, by Yosys and, for speed, OpenSTA.

Rooms: :mod:`.liberty`, :mod:`.memories`, :mod:`.synthesis`, :mod:`.power`; :mod:`.area` is the area by block.
"""
