"""Commands of `flux ingress`: one verb, one file."""
