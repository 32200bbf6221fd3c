"""Commands of `flux jury`: one verb, one file."""
