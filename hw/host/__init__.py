"""The host side: registers, buses, buffers."""
