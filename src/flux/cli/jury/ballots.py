"""What a juror must remember between committing and revealing: its vote and the salt that hid it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from flux.cli.errors import CliError
from flux.contracts.slashing.types import CaseId
from flux.primitives.hexadecimal import HexError, from_hex, to_hex
from flux.primitives.types import Address, Hash


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote."""

    guilty: bool
    salt: Hash


def keep(home: Path, case: CaseId, juror: Address, ballot: Ballot) -> Path:
    """Write the ballot, readable by its user only; its path."""
    path = _path(home, case, juror)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"guilty": ballot.guilty, "salt": to_hex(ballot.salt)}, file)
    return path


def find(home: Path, case: CaseId, juror: Address) -> Ballot:
    """The ballot of a case. Raises CliError."""
    path = _path(home, case, juror)
    try:
        document = json.loads(path.read_text())
        return Ballot(bool(document["guilty"]), Hash(from_hex(document["salt"])))
    except FileNotFoundError as error:
        raise CliError(
            f"no vote in case {case} was committed from here", "use the FLUX_HOME and --account of `flux jury commit`"
        ) from error
    except (ValueError, KeyError, TypeError, HexError) as error:
        raise CliError(f"{path} cannot be read ({type(error).__name__})", "restore it from a backup") from error


def _path(home: Path, case: CaseId, juror: Address) -> Path:
    return home / "jury" / f"case-{case}-{juror.hex()}.json"
