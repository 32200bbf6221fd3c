"""What can go wrong with keys, each with what to do. No message contains a key, a mnemonic or a password."""


class WalletError(Exception):
    """A wallet can't do what was asked."""


class InvalidMnemonic(WalletError):
    """The words are not a mnemonic."""


class InvalidPrivateKey(WalletError):
    """The text is not a private key."""


class InvalidName(WalletError):
    """The text can't name an account."""


class NameTaken(WalletError):
    """There is an account of that name already."""


class UnknownAccount(WalletError):
    """The wallet has no such account."""


class WrongPassword(WalletError):
    """The password does not open the keystore."""


class CorruptKeystore(WalletError):
    """The file is no keystore, or was damaged."""


class WalletUnusable(WalletError):
    """The keystore folder can't be read or written."""


class InvalidTypedData(WalletError):
    """The document is not EIP-712 typed data."""


class DevelopmentKeyRefused(WalletError):
    """Everybody knows the development keys, so they hold nothing of value."""
