"""Commands of `flux chain`: one verb, one file."""
