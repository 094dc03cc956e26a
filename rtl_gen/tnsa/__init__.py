"""What is generated around a transposable macro: an ideal model, the contract of its pins."""
