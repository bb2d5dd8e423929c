"""The receipts an authority gave to this user, so that publishing again changes nothing and a crash loses nothing."""

from hashlib import sha256
from pathlib import Path

from mltrust.anchors.rfc3161.evidence import KIND, stamp_of
from mltrust.anchors.rfc3161.stamp import MAX_RESPONSE_BYTES
from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, FormatError

_MAX_BYTES = 2 * MAX_RESPONSE_BYTES
_LOCK_SECONDS = 30.0


class Kept:
    """The receipts of one authority, one file each, in the caller's state folder; named by URL and digest."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder / KIND / sha256(url.encode()).hexdigest()

    def prepare(self) -> None:
        """Make the folder, before anything is asked for that could then not be kept."""
        state.make_folder(self._folder, parents=True)

    def find(self, digest: Digest) -> Receipt | None:
        """Return the receipt for `digest`; None if there is none.

        Raises:
            AnchorError: The file is damaged or cannot be read.
        """
        file = self._file(digest)
        data = state.read(file, _MAX_BYTES)
        if data is None:
            return None
        try:
            receipt = Receipt.from_json(canonical.loads(data, str(file)), str(file))
            stamp_of(receipt, digest)
        except (FormatError, ContradictionError) as error:
            raise AnchorError(f"{file}: not the receipt that was kept: {error}", hint="Remove this file.") from error
        return receipt

    def keep(self, receipt: Receipt, digest: Digest) -> None:
        """Write `receipt` durably, in place of an older one."""
        with state.locked(self._folder / "lock", _LOCK_SECONDS):
            state.replace(self._file(digest), canonical.dumps(receipt.to_json()))

    def _file(self, digest: Digest) -> Path:
        return self._folder / f"{digest.hex}.json"
