"""Ethereum as an anchor: announcements in transactions, and receipts that convince without a node.

`proof` is what a receipt proves, offline. `chain` asks nodes and builds receipts. `sending` sends, with a journal.
`anchor` brings them together; `search` looks for announcements, `memory` keeps what was seen final.
"""

from mltrust.anchors.ethereum.anchor import EthereumAnchor

__all__ = ["EthereumAnchor"]
