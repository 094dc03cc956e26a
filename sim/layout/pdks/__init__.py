"""Settings of processes, a TOML file each."""
