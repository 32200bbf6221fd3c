"""Who signs, and how its password is learnt: FLUX_PASSWORD_FILE, or asked on the terminal; never from an argument."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flux.cli.asking import hidden
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.primitives.address import parse
from flux.primitives.types import Address
from flux.protocol.chain_ids import LOCAL

if TYPE_CHECKING:
    from flux.sdk.client import FluxClient
    from flux.wallet.local_key import LocalKey

_DEVELOPMENT = re.compile(r"dev([0-9])", re.ASCII)
PASSWORD_FILE = "FLUX_PASSWORD_FILE"


async def open_signer(context: CommandContext, client: "FluxClient") -> "LocalKey":
    """The key that signs on the client's chain. Raises CliError when there is none or no single one."""
    return open_key(context, await client.chain_id())


def open_key(context: CommandContext, chain_id: int = LOCAL) -> "LocalKey":
    """The key that signs: --account, else the wallet's only key, else the first development account.

    Development keys are refused on any chain but a local one.
    """
    from flux.wallet.development import check_account_allowed, development_key

    if context.account is not None and (match := _DEVELOPMENT.fullmatch(context.account)):
        return development_key(int(match[1]), chain_id)
    if context.account is None:
        names = _names(context)
        if not names and chain_id == LOCAL:
            return development_key(0, chain_id)
        if len(names) != 1:
            raise _no_single_account(names)
    from flux.wallet.wallet import Wallet

    wallet = Wallet.open(context.home)
    name = wallet.find(context.account or names[0]).name
    key = wallet.unlock(name, read_password(context, f"Password of {name}"))
    check_account_allowed(key.address, chain_id)
    return key


def find_address(context: CommandContext, text: str) -> Address:
    """The address behind 0x…, dev0…dev9, or the name of a key. Needs no password."""
    if match := _DEVELOPMENT.fullmatch(text):
        from flux.wallet.development import development_addresses

        return development_addresses()[int(match[1])]
    if text.startswith("0x"):
        return parse(text)
    from flux.wallet.wallet import Wallet

    address = Wallet.open(context.home).find(text).address
    if address is None:
        raise CliError(f"the keystore file of {text} does not name its address", "import it again")
    return address


async def own_address(context: CommandContext, client: "FluxClient") -> Address:
    """The address that would sign; nothing is unlocked."""
    from flux.wallet.development import development_addresses

    if context.account is not None:
        return find_address(context, context.account)
    names = _names(context)
    if not names and await client.chain_id() == LOCAL:
        return development_addresses()[0]
    if len(names) != 1:
        raise _no_single_account(names)
    return find_address(context, names[0])


def read_password(context: CommandContext, prompt: str, *, confirm: bool = False) -> str:
    """A password from FLUX_PASSWORD_FILE, else from the terminal."""
    if path := context.environment.get(PASSWORD_FILE):
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise CliError(
                f"{path} cannot be read: {reason}", f"{PASSWORD_FILE} names the file of the password"
            ) from error
    if not sys.stdin.isatty():
        raise CliError(
            "a password is needed and there is no terminal to ask on",
            f"put it into a file and name it in {PASSWORD_FILE}",
        )
    return hidden(prompt, twice=confirm)


def read_secret(prompt: str) -> str:
    """A secret text from the terminal or, piped, the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return hidden(prompt).strip()


def _names(context: CommandContext) -> list[str]:
    """Names of the wallet's keys; the wallet is not even imported when it has none."""
    folder = context.home / "keystore"
    if not folder.is_dir():
        return []
    from flux.wallet.wallet import Wallet

    return [account.name for account in Wallet.open(context.home).ls()]


def _no_single_account(names: list[str]) -> CliError:
    if not names:
        return CliError("the wallet is empty: nobody can sign", "make a key with `flux wallet new`")
    return CliError(f"the wallet has several keys: {', '.join(names)}", "choose one with --account or FLUX_ACCOUNT")
