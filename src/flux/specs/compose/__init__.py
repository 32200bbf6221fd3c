"""Docker Compose files as people have them, read into a spec with a finding for everything that is not honoured.

`project.read_compose` is the entry; `service.py` reads one service, `keys.py` lists every key and what becomes of it.
"""
