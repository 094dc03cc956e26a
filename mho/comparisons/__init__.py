"""Things of one kind side by side: runs, chips, devices; a module each, with what differs and by how much."""
