"""What goes into a core: the next operation with its codes, the memory of masks, the lines at the pins."""
