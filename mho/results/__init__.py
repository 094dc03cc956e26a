"""What runs and compilations gave: results, scores, and the error of an answer by its causes."""
