"""What fires at each position, and the values between: geometry recovered from index arrays, nodes, operations."""
