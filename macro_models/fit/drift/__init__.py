"""Cells that drift: the law of their lines, how sure it is, its floor, its temperature, and the device."""
