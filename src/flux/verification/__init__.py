"""Reading a chain through one endpoint without believing it.

Views are not asked for but run here, by the same contracts, over state that the endpoint proves: `state` fetches and
checks it, `transport` stands where the SDK's transport stands, `trust` keeps what everything is verified from.
"""
