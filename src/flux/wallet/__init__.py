"""Keys: mnemonics, derivation, keystore files. `wallet.Wallet` is the door; nothing here talks to a chain."""
