"""Sections of a device file, each as a frozen dataclass with what its numbers mean."""
