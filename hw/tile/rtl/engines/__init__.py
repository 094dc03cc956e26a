"""What carries out the instructions that the sequencer issues."""
