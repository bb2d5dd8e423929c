"""The ledger: a transparency log in a folder, appended by its keeper and checked as a whole by every reader.

Formats: `entry` (a line), `note` and `checkpoint` (C2SP), `evidence` (a receipt), `tiles` (an export). Protocol: `log`.
What a folder alone cannot prove, that it was not put back to an earlier state, is the work of `memory`.
"""

from mltrust.anchors.ledger.anchor import LedgerAnchor, LedgerStatus
from mltrust.anchors.ledger.offline import LedgerKey

__all__ = ["LedgerAnchor", "LedgerKey", "LedgerStatus"]
