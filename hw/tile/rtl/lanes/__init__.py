"""The vector unit: lanes of one formula, their parameters, tables and accumulators."""
