"""Between a node and its router: blocks with a credit each."""
