"""A light client of CometBFT: from a block that is trusted to a newer one, by the signatures of validators.

`types` is what is verified, `parse` reads it from JSON that may lie, `encoding` makes the bytes that are hashed and
signed, `rules` are the checks of the light-client specification, `follow` walks from a trusted block to a newer one,
`state` goes on from the verified header to accounts and storage, `anchor` keeps what is trusted in a file.
Nothing here reads a clock: the time is given.
"""
