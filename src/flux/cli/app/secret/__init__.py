"""Commands of `flux app secret`: one verb, one file."""
