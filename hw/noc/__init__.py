"""The network on chip: routers, mesh and network interface. See ``docs/design/noc.md``."""
