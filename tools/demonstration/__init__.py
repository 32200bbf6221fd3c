"""What `make demo` shows, as a scenario that tests run too. `python -m tools.demo` is the entry."""
