"""Time stamps (RFC 3161) as an anchor: a third party says not *who*, but *when*.

Formats: `der` and `stamp` (what a response says), `evidence` (a receipt). Trust: `settings` (the user's roots) and
`verify`. The world: `exchange` (HTTP), `kept` (receipts given before), `anchor` (the socket).
"""

from mltrust.anchors.rfc3161.anchor import LEVEL, Rfc3161Anchor

__all__ = ["LEVEL", "Rfc3161Anchor"]
