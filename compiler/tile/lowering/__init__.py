"""What operations of a program become on tiles: walks over rings, routes of elements, vector operations."""
