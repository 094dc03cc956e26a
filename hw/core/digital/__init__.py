"""Digital blocks of cores, of no kind: loader, driver of rows, sequencer, groups of columns, counters, a whole core."""
