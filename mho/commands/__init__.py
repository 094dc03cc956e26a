"""The subcommands: one module for each, and a room where a group has several or a command several kinds of input."""
