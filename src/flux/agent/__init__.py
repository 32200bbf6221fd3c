"""The agent: keeps a host running exactly what the chain's leases say.

Level-triggered: `desired` (leases and specs) and `observed` (what the engine runs) go into `plan`, which is pure and
returns named actions; `apply` carries them out, each repeatable; `loop` goes round. `api/` answers tenants and peers,
`probes/` watches other nodes.
"""
