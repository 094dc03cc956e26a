"""The graph of a file, prepared: read, run on samples, abbreviations written out, divided into regions."""
