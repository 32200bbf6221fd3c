"""Commands of `flux app`: one verb, one file."""
