"""The serial line to the register bus: frames, each request executed at most once, and the UART."""
