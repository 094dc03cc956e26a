"""Where everything is: weights, nodes, rings, flows, contexts, and the order of nodes on a tile."""
