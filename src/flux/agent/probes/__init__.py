"""Watching other nodes: `prober` pings the nodes whose committee we are on and reports what it sees."""
