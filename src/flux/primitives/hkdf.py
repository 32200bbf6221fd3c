"""Keys from secrets: HKDF-SHA256 (RFC 5869)."""


def hkdf(secret: bytes, size: int, info: bytes, salt: bytes | None = None) -> bytes:
    """`size` bytes for the purpose that `info` names."""
    # The library takes eight megabytes, which agents and commands that meet no secret do without.
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=size, salt=salt, info=info).derive(secret)
