"""Commands of `flux spec`: one verb, one file."""
