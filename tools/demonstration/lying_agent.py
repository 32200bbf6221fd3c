"""An agent whose operator changed it: asked to compute, it makes up results at once and signs them.

Takes the arguments of `flux`.
"""

import os
from unittest.mock import patch

from flux.agent.challenges import prover
from flux.cli.main import main
from flux.primitives.cpu_work import EVENT_BYTES


def made_up(seed: bytes, chain: int, length: int) -> bytes:
    """What looks like the results of a chain of events and took no time."""
    return os.urandom(length * EVENT_BYTES)


if __name__ == "__main__":
    with patch.object(prover, "run_chain", made_up):
        main()
