"""What cores of all kinds share: vector port, descriptors, masks, words, durations, write-verify, digital blocks."""
