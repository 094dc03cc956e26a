"""The router: one cycle a hop, each flit routes itself."""
