"""Blocks that were seen final, by how many nodes: `ethereum/CHAIN_ID/final/BLOCK_HASH` in the caller's state folder.

A block that is final stays so, so a receipt of one that was seen final needs no node any more; and nodes that later
say otherwise contradict what was seen. What cannot be remembered is asked for again.
"""

from contextlib import suppress
from pathlib import Path

from mltrust.disk import state
from mltrust.errors import AnchorError

_MAX_BYTES = 64
_MAX_DIGITS = 4
_LOCK_SECONDS = 5.0


class Memory:
    """The blocks of one chain that were seen final; many processes may use it at once."""

    def __init__(self, folder: Path, chain_id: int) -> None:
        self._folder = folder / "ethereum" / str(chain_id) / "final"

    def agreed(self, block_hash: bytes) -> int:
        """Return how many nodes, at most, agreed at once that the block is final; 0 if it was not seen so."""
        data = (state.read(self._folder / block_hash.hex(), _MAX_BYTES) or b"").strip()
        return int(data) if data.isdigit() and len(data) <= _MAX_DIGITS else 0

    def keep(self, block_hash: bytes, agreed: int) -> None:
        """Remember that so many nodes agreed, where that is possible: not to remember it makes nothing less true."""
        with suppress(AnchorError):
            if self.agreed(block_hash) >= agreed:
                return
            state.make_folder(self._folder, parents=True)
            with state.locked(self._folder / "lock", _LOCK_SECONDS):
                if self.agreed(block_hash) < agreed:  # another may have seen more meanwhile
                    state.replace(self._folder / block_hash.hex(), b"%d\n" % agreed)
