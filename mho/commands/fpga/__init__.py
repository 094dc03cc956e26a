"""``mho fpga``: cores on boards, a module for each subcommand."""
