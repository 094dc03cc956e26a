"""From charges to codes: the converter, the neuron with an amplifier that is not ideal, decrements one by one."""
