"""Integer arithmetic of cores whose columns share converters."""
