"""The repository's own tools: setting up, a Docker Engine, a registry, images, locks.

Nothing here is part of Flux itself, and `flux` never imports it. What runs before `.venv` exists (`install`,
`debian`, `environment`, `paths`, `errors`, `clean`) uses the standard library only.
"""
