"""Claims of the way to registers: each request has one answer, and neither ever waits for the other."""
