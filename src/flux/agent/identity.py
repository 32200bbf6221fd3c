"""What makes a machine this node: its agent key, the key that seeds are sealed to, and its TLS certificate.

All three are made once by `flux node init` and kept in the node's folder, readable by its user only. None of them can
move stake: that is the operator's key, which never needs to be on the machine.
"""

import hashlib
import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nacl.public import PrivateKey

from flux.durable import PRIVATE, write_whole
from flux.primitives.types import Hash
from flux.sdk.signer import LocalSigner

AGENT_KEY = "agent.key"
SEAL_KEY = "seal.key"
CERTIFICATE = "agent.crt"
TLS_KEY = "agent.tls.key"
VALIDITY = timedelta(days=3650)
"""Clients pin the certificate by its hash on chain; expiry only bounds how long a stolen one is worth something."""


class IdentityError(Exception):
    """The node's folder lacks a key or holds one that cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """The keys of one node."""

    home: Path
    signer: LocalSigner
    seal_key: PrivateKey = field(repr=False)
    certificate: Hash
    """SHA-256 of the DER certificate."""

    def tls(self) -> ssl.SSLContext:
        """Server side of the agent's API."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.home / CERTIFICATE, self.home / TLS_KEY)
        return context

    @property
    def seal_public(self) -> Hash:
        """What the chain records and others seal to."""
        return Hash(bytes(self.seal_key.public_key))


def create(home: Path, host: str) -> NodeIdentity:
    """Make the keys that are missing in `home`; existing ones are kept, so it may be repeated."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (home / AGENT_KEY).exists():
        write_private(home / AGENT_KEY, os.urandom(32).hex().encode())
    if not (home / SEAL_KEY).exists():
        write_private(home / SEAL_KEY, bytes(PrivateKey.generate()).hex().encode())
    if not (home / CERTIFICATE).exists() or not (home / TLS_KEY).exists():
        _create_certificate(home, host)
    return load(home)


def load(home: Path) -> NodeIdentity:
    """The keys of an initialised node. Raises IdentityError."""
    try:
        signer = LocalSigner(bytes.fromhex((home / AGENT_KEY).read_text()))
        seal_key = PrivateKey(bytes.fromhex((home / SEAL_KEY).read_text()))
        der = ssl.PEM_cert_to_DER_cert((home / CERTIFICATE).read_text())
    except FileNotFoundError as error:
        raise IdentityError(f"{error.filename} is missing: run `flux node init` first") from error
    except (ValueError, TypeError) as error:
        raise IdentityError(
            f"a key in {home} cannot be read ({type(error).__name__}): restore it from a backup"
        ) from error
    return NodeIdentity(home, signer, seal_key, Hash(hashlib.sha256(der).digest()))


def _create_certificate(home: Path, host: str) -> None:
    # Imported once in a node's life: what makes certificates would be a tenth of a running agent's memory.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flux agent")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    write_private(home / TLS_KEY, key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    write_private(home / CERTIFICATE, certificate.public_bytes(encoding))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its user can read, durably and as a whole."""
    write_whole(path, data, mode=PRIVATE)
