"""The agent's HTTPS API: `auth` decides who may ask, `server` answers. Clients are in `flux.sdk.agent_api`."""
