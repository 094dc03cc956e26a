"""Tables of measurements: rows read, cells and pulses told apart, what is no answer of a cell set aside."""
