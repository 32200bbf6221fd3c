"""The accounts of one person: named keystore files in FLUX_HOME/keystore, which other Ethereum tools can read too."""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flux.durable import sync
from flux.primitives import address as addresses
from flux.primitives.types import Address
from flux.wallet import keystore
from flux.wallet.derivation import check_mnemonic, key_of_mnemonic, new_mnemonic
from flux.wallet.errors import CorruptKeystore, InvalidName, NameTaken, UnknownAccount, WalletUnusable
from flux.wallet.local_key import LocalKey, parse_private_key

FOLDER = "keystore"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    address: Address | None
    """None when the file can't be read, or does not name its address."""
    path: Path
    problem: str = ""
    """Why the file can't be used, if so."""


class Created(NamedTuple):
    mnemonic: str
    """Shown once, kept nowhere."""
    address: Address


class Wallet:
    """Every method that writes does so all at once: a file is there and complete, or not there."""

    def __init__(self, folder: Path, *, work: int = keystore.STANDARD_WORK) -> None:
        self._folder = folder
        self._work = work

    @classmethod
    def open(cls, home: Path, *, work: int = keystore.STANDARD_WORK) -> "Wallet":
        """The wallet of a FLUX_HOME; the folder comes into being with the first account. `work` is scrypt's n."""
        return cls(home / FOLDER, work=work)

    def create(self, name: str, password: str, *, words: int = 12) -> Created:
        """A new account and the mnemonic that restores it. Raises NameTaken."""
        self._check_free(name)
        mnemonic = new_mnemonic(words=words)
        return Created(mnemonic, self._store(name, key_of_mnemonic(mnemonic), password))

    def import_mnemonic(
        self, name: str, mnemonic: str, password: str, *, index: int = 0, passphrase: str = ""
    ) -> Address:
        """Account `index` of a mnemonic. Raises InvalidMnemonic, NameTaken."""
        self._check_free(name)
        return self._store(
            name, key_of_mnemonic(check_mnemonic(mnemonic), index=index, passphrase=passphrase), password
        )

    def import_private_key(self, name: str, private_key: str, password: str) -> Address:
        """The account of 64 hexadecimal digits. Raises InvalidPrivateKey, NameTaken."""
        self._check_free(name)
        return self._store(name, parse_private_key(private_key), password)

    def import_keystore(self, name: str, data: bytes, password: str, *, new_password: str | None = None) -> Address:
        """The account of another tool's keystore file. Raises WrongPassword, CorruptKeystore, NameTaken."""
        self._check_free(name)
        private_key = keystore.decrypt(keystore.read_keystore(data), password)
        return self._store(name, private_key, password if new_password is None else new_password)

    def ls(self) -> list[Account]:
        """All accounts by name, those included whose file is damaged."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.is_file() and path.name[0] != ".")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WalletUnusable(f"{self._folder} can't be read: {error.strerror or error}") from error
        return [self._account(path) for path in paths]

    def find(self, account: str) -> Account:
        """The account of a name or an address. Raises UnknownAccount."""
        known = self.ls()
        wanted = _address(account)
        for candidate in known:
            if candidate.name == account or (wanted is not None and candidate.address == wanted):
                return candidate
        names = ", ".join(candidate.name for candidate in known) or "none yet; make one with `flux wallet new`"
        raise UnknownAccount(f"there is no account {account[:80]!r}; there are: {names}")

    def unlock(self, account: str, password: str) -> LocalKey:
        """The key of an account. Raises UnknownAccount, WrongPassword, CorruptKeystore."""
        return LocalKey(keystore.decrypt(keystore.read_keystore(self.export(account)), password))

    def export(self, account: str) -> bytes:
        """The keystore file of an account, still under its password."""
        path = self.find(account).path
        try:
            return path.read_bytes()
        except OSError as error:
            raise WalletUnusable(f"{path} can't be read: {error.strerror or error}") from error

    def export_private_key(self, account: str, password: str) -> str:
        """0x and 64 digits: whoever sees them owns the account."""
        return "0x" + self.unlock(account, password).private_key.hex()

    def _account(self, path: Path) -> Account:
        name = path.name.removesuffix(".json")
        try:
            stored = keystore.read_keystore(path.read_bytes())
            return Account(name, keystore.address_in(stored), path)
        except (CorruptKeystore, OSError) as error:
            return Account(name, None, path, problem=str(error))

    def _check_free(self, name: str) -> None:
        if not _NAME.fullmatch(name) or name.endswith(".json"):
            raise InvalidName(f"{name[:80]!r} can't name an account: 1–63 letters, digits, and inner _ . -")
        if any(name == account.name for account in self.ls()):
            raise NameTaken(f"there is an account {name} already: choose another name")

    def _store(self, name: str, private_key: bytes, password: str) -> Address:
        data = keystore.encrypt(private_key, password, work=self._work)
        path = self._folder / f"{name}.json"
        temporary = self._folder / f".{name}.{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write(temporary, data)
                os.link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            sync(self._folder)
        except FileExistsError as error:
            raise NameTaken(f"there is an account {name} already: choose another name") from error
        except OSError as error:
            raise WalletUnusable(f"{path} can't be written: {error.strerror or error}") from error
        return LocalKey(private_key).address


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _address(text: str) -> Address | None:
    try:
        return addresses.parse(text)
    except addresses.AddressError:
        return None
