"""`flux dao`: govern."""
