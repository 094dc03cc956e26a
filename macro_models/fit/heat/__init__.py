"""Temperature in the fit: which law, with what energy, how sure, and what cannot be said."""
