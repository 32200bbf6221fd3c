"""The hash onion of a validator: its secret lies in the node's folder, its head on chain; an epoch reveals one layer.

A new onion is written before the chain hears of it and the last ones are kept, so that what the chain names is here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from flux.agent.identity import write_private
from flux.primitives.onion import layer
from flux.primitives.types import U32, Hash

FILE = "onion.json"
REVEALS = 20_000
"""Two years of hourly epochs."""
KEPT = 4


class OnionError(Exception):
    """The folder lacks the onion that the chain names; the message says what to do."""


class Onion(msgspec.Struct, frozen=True):
    """One secret and how many layers it has."""

    secret: str
    """32 bytes, hexadecimal."""
    reveals: int

    @property
    def head(self) -> Hash:
        """What the chain is told."""
        return layer(bytes.fromhex(self.secret), self.reveals)

    def preimage(self, head: Hash, left: int) -> Hash | None:
        """The layer below the head that has `left` reveals left; None when the head is not of this onion."""
        secret = bytes.fromhex(self.secret)
        if not 0 < left <= self.reveals:
            return None
        below = layer(secret, left - 1) if left > 1 else Hash(secret)
        return below if layer(below, 1) == head else None


@dataclass(frozen=True, slots=True)
class OnionStore:
    """The onions of one node's folder, the newest last."""

    home: Path

    def load(self) -> list[Onion]:
        """All that are kept. Raises OnionError for a file that cannot be read."""
        path = self.home / FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[Onion])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, ValueError) as error:
            raise OnionError(f"{path} cannot be read ({error}): restore it from a backup") from error

    def add(self, reveals: int = REVEALS) -> Onion:
        """Make another onion and write it down."""
        made = Onion(os.urandom(32).hex(), reveals)
        kept = [*self.load(), made][-KEPT:]
        write_private(self.home / FILE, msgspec.json.encode(kept))
        return made

    def newest(self, reveals: int = REVEALS) -> Onion:
        """The newest, made now when there is none."""
        found = self.load()
        return found[-1] if found else self.add(reveals)

    def preimage(self, head: Hash, left: U32) -> Hash:
        """What to reveal next, by what the chain says. Raises OnionError."""
        for onion in reversed(self.load()):
            if (found := onion.preimage(head, left)) is not None:
                return found
        raise OnionError(
            f"{self.home / FILE} has no onion with the head 0x{head.hex()}: restore it from a backup, or commit "
            "to a new one with `flux validator onion`"
        )
