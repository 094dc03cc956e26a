"""From a chip description to a layout: synthesis, place and route, GDS, and what independent tools say of it."""
