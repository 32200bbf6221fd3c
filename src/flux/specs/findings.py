"""What was found while reading a spec: each finding names the file, the line, the key, and what to do."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding means for the deployment."""

    REFUSED = "refused"
    """Nothing is sent: ignoring the key would change what runs."""
    WARNED = "warned"
    """Deployed without this."""
    HONOURED = "honoured"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file, counted from 1; line 0 is a value that stands in no file."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    file: str
    line: int
    column: int
    key: str
    """Dotted, as in services.web.ports[0]; empty for the file as a whole."""
    message: str
    """A sentence that never contains a value of the private half."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class Findings:
    """Collects findings, so that a reader reports all of them and not only the first."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def add(self, severity: Severity, mark: Mark, key: str, message: str) -> None:
        """One more finding; the same one twice (an anchor used in two places) counts once."""
        self._found[Finding(severity, mark.file, mark.line, mark.column, key, message)] = None

    def refuse(self, mark: Mark, key: str, message: str) -> None:
        self.add(Severity.REFUSED, mark, key, message)

    def warn(self, mark: Mark, key: str, message: str) -> None:
        self.add(Severity.WARNED, mark, key, message)

    def honour(self, mark: Mark, key: str, message: str) -> None:
        self.add(Severity.HONOURED, mark, key, message)

    @property
    def has_refusal(self) -> bool:
        return any(finding.severity is Severity.REFUSED for finding in self._found)

    def sorted(self) -> tuple[Finding, ...]:
        """All findings in the order of the file; within a line, in the order they were found.

        Nothing is said to be honoured of a key that is refused, as a whole or in a part of it.
        """
        refused = {part for item in self._found if item.severity is Severity.REFUSED for part in _parents(item)}
        told = (
            item
            for item in self._found
            if item.severity is not Severity.HONOURED or (item.file, item.key) not in refused
        )
        return tuple(sorted(told, key=lambda finding: (finding.file, finding.line, finding.column)))


def _parents(finding: Finding) -> list[tuple[str, str]]:
    """The key of a finding and those that it is in: of a.b[0], also a.b and a."""
    ends = [match.start() for match in re.finditer(r"[.\[]", finding.key)]
    return [(finding.file, finding.key[:end]) for end in (*ends, len(finding.key))]
