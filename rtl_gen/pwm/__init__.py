"""What is generated around a phase-change macro: an ideal model, the contract of its pins."""
