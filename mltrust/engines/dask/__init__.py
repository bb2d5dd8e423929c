"""A Dask cluster as an engine: workers read and hash, and digests alone come back.

`work` is what a worker does, `cluster` the connection and its troubles, `engine` the socket.
"""

from mltrust.engines.dask.engine import DaskEngine

__all__ = ["DaskEngine"]
