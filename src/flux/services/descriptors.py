"""How many connections and files a process may have open."""

import resource


def allow_descriptors() -> None:
    """As many as the system lets a process have: what it lets one have at first, strangers' connections can fill."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
