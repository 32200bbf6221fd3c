"""From words to keys: BIP-39 mnemonics, and BIP-32 derivation along m/44'/60'/0'/0/i as every Ethereum wallet does."""

import hashlib
import hmac
import re

from coincurve import PrivateKey
from mnemonic import Mnemonic

from flux.primitives.signature import CURVE_ORDER
from flux.wallet.errors import InvalidMnemonic

ACCOUNT_PATH = "m/44'/60'/0'/0"
MAX_DEPTH = 16

_HARDENED = 2**31
_WORDS = Mnemonic("english")
_STEP = re.compile(r"([0-9]{1,10})(['hH]?)", re.ASCII)


def new_mnemonic(*, words: int = 12) -> str:
    """A fresh English mnemonic of 12 (128 bits) or 24 words (256 bits)."""
    if words not in (12, 24):
        raise InvalidMnemonic(f"a mnemonic has 12 or 24 words here, asked for {words}")
    return str(_WORDS.generate(128 if words == 12 else 256))


def check_mnemonic(text: str) -> str:
    """The mnemonic in its normal form (lower case, single spaces), its checksum verified."""
    words = text.lower().split()
    if len(words) not in (12, 15, 18, 21, 24):
        raise InvalidMnemonic(f"a mnemonic has 12, 15, 18, 21 or 24 words, got {len(words)}")
    known = set(_WORDS.wordlist)
    unknown = [position for position, word in enumerate(words, start=1) if word not in known]
    if unknown:
        places = ", ".join(map(str, unknown))
        raise InvalidMnemonic(f"word {places} is not in the English word list: check the spelling")
    normal = " ".join(words)
    if not _WORDS.check(normal):
        raise InvalidMnemonic("the checksum of the mnemonic does not fit: a word is wrong, or two are swapped")
    return normal


def key_of_mnemonic(mnemonic: str, *, index: int = 0, passphrase: str = "") -> bytes:
    """The private key of account `index` of a mnemonic."""
    return derive(Mnemonic.to_seed(check_mnemonic(mnemonic), passphrase), f"{ACCOUNT_PATH}/{index}")


def derive(seed: bytes, path: str) -> bytes:
    """The private key at a path such as m/44'/60'/0'/0/0 under a BIP-32 seed of 16 to 64 bytes."""
    root, *steps = path.split("/")
    if root != "m" or len(steps) > MAX_DEPTH:
        raise InvalidMnemonic(f"a derivation path begins with m and has at most {MAX_DEPTH} steps, got {path[:80]!r}")
    digest = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
    key, chain_code = digest[:32], digest[32:]
    for step in steps:
        key, chain_code = _child(key, chain_code, _child_number(step, path))
    return key


def _child_number(step: str, path: str) -> int:
    match = _STEP.fullmatch(step)
    number = int(match[1]) if match else _HARDENED
    if match is None or number >= _HARDENED:
        raise InvalidMnemonic(f"{step[:20]!r} is not a step of a derivation path, in {path[:80]!r}")
    return number + _HARDENED if match[2] else number


def _child(key: bytes, chain_code: bytes, number: int) -> tuple[bytes, bytes]:
    """CKDpriv of BIP-32."""
    source = b"\0" + key if number >= _HARDENED else PrivateKey(key).public_key.format(compressed=True)
    digest = hmac.digest(chain_code, source + number.to_bytes(4, "big"), hashlib.sha512)
    child = (int.from_bytes(digest[:32], "big") + int.from_bytes(key, "big")) % CURVE_ORDER
    if int.from_bytes(digest[:32], "big") >= CURVE_ORDER or child == 0:
        raise InvalidMnemonic("this account has no key (a chance of 1 in 2^127): use the next one")
    return child.to_bytes(32, "big"), digest[32:]
