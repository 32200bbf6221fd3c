"""Commands of `flux validator`: one verb, one file."""
