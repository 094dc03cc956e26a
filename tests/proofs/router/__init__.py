"""Claims of the router and of whole meshes."""
