"""One row of a law, and all rows of it: corrected until drawn cells agree with the measured ones."""
