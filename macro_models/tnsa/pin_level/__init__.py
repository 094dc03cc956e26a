"""The macro at every strobe: slow and plain, the truth for what is evaluated faster."""
