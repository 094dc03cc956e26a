"""What comes out of a core: counters of its lines, the result bank, the words that an operation names."""
