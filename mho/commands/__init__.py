"""One module for each group of subcommands."""
