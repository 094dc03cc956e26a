"""Arrays without transistors: biasing of lines, disturb of unselected cells, forming and tuning in passes."""
