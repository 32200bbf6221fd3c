"""`flux node volumes`: what a node keeps for tenants."""
