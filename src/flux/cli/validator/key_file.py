"""The consensus key in the file that CometBFT reads."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path

from flux.cli.errors import CliError
from flux.primitives import ed25519
from flux.primitives.types import Hash

_KIND = "tendermint/PrivKeyEd25519"
_SEED_SIZE = 32


@dataclass(frozen=True, slots=True)
class ConsensusKey:
    """An ed25519 key."""

    seed: bytes = field(repr=False)

    @property
    def public(self) -> Hash:
        """What the chain records."""
        return ed25519.public_key_of(self.seed)


def default_key_file(home: Path) -> Path:
    """Where `flux chain init` and `flux chain join` put it."""
    return home / "chain" / "cometbft" / "config" / "priv_validator_key.json"


def read_key(path: Path) -> ConsensusKey:
    """The key of a file. Raises CliError."""
    try:
        private = json.loads(path.read_text(encoding="utf-8"))["priv_key"]
        raw = base64.b64decode(private["value"], validate=True)
        if private["type"] != _KIND or len(raw) not in (_SEED_SIZE, 2 * _SEED_SIZE):
            raise ValueError("not an ed25519 key")
    except FileNotFoundError as error:
        raise CliError(f"{path} is missing", "make it with `flux chain join`, or name another with --key") from error
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise CliError(
            f"{path} is not CometBFT's priv_validator_key.json: {error}", "name the right file with --key"
        ) from error
    return ConsensusKey(raw[:_SEED_SIZE])
