"""What Flux is measured by: `make bench`, or `python -m bench transfers` for one part."""
