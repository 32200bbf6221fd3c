"""The web3 namespace: who answers, and the hash function."""

import platform
import sys

from flux.primitives.hexadecimal import to_hex
from flux.primitives.keccak import keccak256
from flux.rpc import parameters
from flux.rpc.methods import Table, inline


def client_version(version: str) -> str:
    """As Ethereum clients name themselves: name, version, platform, language."""
    system = f"{platform.system().lower()}-{platform.machine()}"
    return f"Flux/v{version}/{system}/python{sys.version_info.major}.{sys.version_info.minor}"


def table(version: str) -> Table:
    """All web3_* methods, and rpc_modules."""
    name = client_version(version)
    return {
        "web3_clientVersion": inline(lambda: name),
        "web3_sha3": inline(lambda data: to_hex(keccak256(data)), parameters.data),
        "rpc_modules": inline(lambda: dict.fromkeys(("eth", "flux", "net", "rpc", "web3"), "1.0")),
    }
