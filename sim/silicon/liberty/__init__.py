"""Liberty files, and what they say of standard cells: logic, area, power."""
