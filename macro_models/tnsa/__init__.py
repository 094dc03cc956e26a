"""The transposable array: cells, what a conversion sees of them, neuron and converter, lazily and strobe by strobe."""
