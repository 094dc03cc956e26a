"""From a core and a board to a bitstream: tools, scripts, what fits, and what the tools say."""
