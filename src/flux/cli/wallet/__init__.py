"""Commands of `flux wallet`: one verb, one file."""
