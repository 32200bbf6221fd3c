"""Commands of `flux node`: one verb, one file."""
