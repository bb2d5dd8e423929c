"""Blocks that were seen final: `ethereum/CHAIN_ID/final/BLOCK_HASH` in the caller's state folder holds at which level.

A block that is final stays so, so a receipt of one that was seen final needs no node any more; and a node that later
says otherwise contradicts what was seen. What cannot be remembered is asked for again.
"""

from contextlib import suppress
from pathlib import Path

from mltrust.disk import state
from mltrust.errors import AnchorError

_MAX_BYTES = 64
_LOCK_SECONDS = 5.0


class Memory:
    """The blocks of one chain that were seen final; many processes may use it at once."""

    def __init__(self, folder: Path, chain_id: int) -> None:
        self._folder = folder / "ethereum" / str(chain_id) / "final"

    def level(self, block_hash: bytes) -> str | None:
        """Return at which level of trust the block was seen final; None if it was not."""
        data = state.read(self._folder / block_hash.hex(), _MAX_BYTES)
        return None if data is None else ascii(data.decode("ascii", "replace").strip())[1:-1]

    def keep(self, block_hash: bytes, level: str) -> None:
        """Remember the block, where that is possible: not to remember it makes nothing less true."""
        with suppress(AnchorError):
            if self.level(block_hash) is not None:
                return
            state.make_folder(self._folder, parents=True)
            with state.locked(self._folder / "lock", _LOCK_SECONDS):
                state.replace(self._folder / block_hash.hex(), f"{level}\n".encode())
