"""A ledger as static files, as C2SP tlog-tiles (c2sp.org/tlog-tiles) lays them out, for any server and any monitor.

    checkpoint                     the signed checkpoint, with the cosignatures it has
    tile/<L>/<N>[.p/<W>]           up to 256 hashes of 32 bytes: of leaves, or of full tiles of the level below
    tile/entries/<N>[.p/<W>]       up to 256 entries, each after its length as a big-endian uint16

N is written in groups of three digits, all but the last after an `x`; W is the width of a tile that is not full. Empty
tiles are not written.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.log import CHECKPOINT, Log
from mltrust.core.merkle import leaf_hash, node_hash
from mltrust.disk import state
from mltrust.errors import AnchorError

_WIDTH = 256


def export(log: Log, head: SignedCheckpoint, destination: Path) -> None:
    """Write the signed entries of `log` as tiles under its checkpoint `head` into `destination`, all or nothing.

    Raises:
        AnchorError: `destination` is neither new nor an empty folder, or cannot be written.
    """
    with state.doing(f"export to {destination}"):
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise AnchorError(f"{destination} is not an empty folder", hint="Name a folder that does not exist yet.")
        with tempfile.TemporaryDirectory(dir=destination.absolute().parent, prefix=".tiles-") as temporary:
            folder = Path(temporary) / "tiles"
            for path, content in _files(log, head):
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if os.name == "nt" and destination.exists():
                destination.rmdir()
            folder.rename(destination)


def _files(log: Log, head: SignedCheckpoint) -> Iterator[tuple[str, bytes]]:
    yield CHECKPOINT, head.text.encode()
    for number, start in enumerate(range(0, log.size, _WIDTH)):
        lines = [log.line(index) for index in range(start, min(start + _WIDTH, log.size))]
        bundle = b"".join(len(line).to_bytes(2, "big") + line for line in lines)
        yield f"tile/entries/{_name(number, len(lines))}", bundle
    level = 0
    hashes = [leaf_hash(log.line(index)) for index in range(log.size)]
    while hashes:
        tiles = [hashes[start : start + _WIDTH] for start in range(0, len(hashes), _WIDTH)]
        for number, tile in enumerate(tiles):
            yield f"tile/{level}/{_name(number, len(tile))}", b"".join(tile)
        hashes = [_root(tile) for tile in tiles if len(tile) == _WIDTH]
        level += 1


def _name(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return name if width == _WIDTH else f"{name}.p/{width}"


def _root(tile: Sequence[bytes]) -> bytes:
    while len(tile) > 1:
        tile = [node_hash(tile[at], tile[at + 1]) for at in range(0, len(tile), 2)]
    return tile[0]
