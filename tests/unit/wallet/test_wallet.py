"""The wallet: accounts by name in files that only their owner can read."""

import json
import os
from pathlib import Path

import pytest
from eth_account import Account as EthAccount

from flux.primitives.address import to_text
from flux.wallet.errors import (
    CorruptKeystore,
    InvalidName,
    InvalidPrivateKey,
    NameTaken,
    UnknownAccount,
    WalletUnusable,
    WrongPassword,
)
from flux.wallet.wallet import Wallet

DEVELOPMENT = "test test test test test test test test test test test junk"
KEY = "0x" + "11" * 32


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet.open(tmp_path, work=2)


def test_a_new_account_is_restored_by_its_mnemonic(wallet: Wallet) -> None:
    mnemonic, address = wallet.create("main", "secret")
    assert wallet.import_mnemonic("copy", mnemonic, "other") == address
    assert wallet.unlock("main", "secret").address == address


def test_an_account_is_found_by_name_and_by_address(wallet: Wallet) -> None:
    address = wallet.import_mnemonic("second", DEVELOPMENT, "secret", index=1)
    assert to_text(address) == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert wallet.unlock(to_text(address).lower(), "secret").address == address
    assert [(account.name, account.address) for account in wallet.ls()] == [("second", address)]


def test_the_files_belong_to_their_owner_alone_and_no_other_file_remains(wallet: Wallet, tmp_path: Path) -> None:
    wallet.create("main", "secret")
    with pytest.raises(NameTaken):
        wallet.create("main", "secret")
    folder = tmp_path / "keystore"
    assert [path.name for path in folder.iterdir()] == ["main.json"]
    assert (folder / "main.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_keystore_of_another_tool_is_imported_and_one_of_ours_exported(wallet: Wallet) -> None:
    theirs = json.dumps(EthAccount.encrypt(bytes.fromhex(KEY[2:]), "old", kdf="scrypt", iterations=2)).encode()
    address = wallet.import_keystore("theirs", theirs, "old", new_password="new")
    assert EthAccount.decrypt(wallet.export("theirs").decode(), "new").hex() == KEY[2:]
    assert wallet.export_private_key("theirs", "new") == KEY
    assert to_text(address) == EthAccount.from_key(KEY).address


def test_a_geth_file_dropped_into_the_folder_is_an_account(wallet: Wallet, tmp_path: Path) -> None:
    (tmp_path / "keystore").mkdir()
    name = "UTC--2026-01-01T00-00-00.000000000Z--19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
    theirs = json.dumps(EthAccount.encrypt(bytes.fromhex(KEY[2:]), "geth", kdf="scrypt", iterations=2))
    (tmp_path / "keystore" / name).write_text(theirs)
    assert [account.name for account in wallet.ls()] == [name]
    assert wallet.unlock(EthAccount.from_key(KEY).address, "geth").private_key.hex() == KEY[2:]


def test_a_wrong_password_is_said(wallet: Wallet) -> None:
    wallet.create("main", "secret")
    with pytest.raises(WrongPassword):
        wallet.unlock("main", "Secret")


def test_a_damaged_file_is_listed_with_its_problem_and_does_not_hide_the_others(wallet: Wallet, tmp_path: Path) -> None:
    wallet.import_private_key("good", KEY, "secret")
    (tmp_path / "keystore" / "bad.json").write_bytes(b"{")
    bad, good = wallet.ls()
    assert (bad.name, bad.address) == ("bad", None)
    assert "no keystore" in bad.problem
    assert good.address is not None
    with pytest.raises(CorruptKeystore):
        wallet.unlock("bad", "secret")


def test_an_unknown_account_is_answered_with_the_known_ones(wallet: Wallet) -> None:
    with pytest.raises(UnknownAccount, match="flux wallet new"):
        wallet.find("main")
    wallet.import_private_key("other", KEY, "secret")
    with pytest.raises(UnknownAccount, match="there are: other"):
        wallet.find("main")


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "x" * 64, "name.json", "ä"])
def test_a_name_that_would_leave_the_folder_is_refused(wallet: Wallet, name: str) -> None:
    with pytest.raises(InvalidName):
        wallet.create(name, "secret")


@pytest.mark.parametrize("key", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32])
def test_a_text_that_is_no_private_key_is_refused(wallet: Wallet, key: str) -> None:
    with pytest.raises(InvalidPrivateKey):
        wallet.import_private_key("main", key, "secret")
    assert wallet.ls() == []


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "keystore").write_text("in the way")
    with pytest.raises(WalletUnusable, match="can't be read"):
        Wallet.open(tmp_path, work=2).create("main", "secret")


def test_a_race_for_a_name_has_one_winner(wallet: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def lose(source: Path, target: Path) -> None:
        target.write_text("another process was first")
        link(source, target)

    monkeypatch.setattr(os, "link", lose)
    with pytest.raises(NameTaken):
        wallet.create("main", "secret")
