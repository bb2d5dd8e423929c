"""Artifacts behind a URL: one file per kind of store.

A source (`source.py`) knows files, pins and exclusions. A store (`store.py`) knows one protocol: it finds an object,
lists a prefix, and streams a range of exactly the version it was told. What is between them holds for all stores:
`fetching.py` retries and goes on where an answer broke off, `reading.py` reads ahead in one large file, and
`tiny.py` across many tiny ones.
"""
