"""Registers of every node through one bus: requests and answers as packets, and the registers of a node."""
