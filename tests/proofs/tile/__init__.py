"""Claims of the parts of a tile that its order and its rings rest on."""
