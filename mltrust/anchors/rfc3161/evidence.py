"""Receipts of time stamps: the whole response of the authority, convincing to whoever trusts its roots."""

import base64
import binascii
from typing import Annotated, ClassVar

from pydantic import Field

from mltrust.anchors.rfc3161.stamp import MAX_RESPONSE_BYTES, Stamp, imprint_of
from mltrust.core.digest import Digest
from mltrust.core.receipt import EvidenceDocument, Receipt, TimeBounds
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, ForeignReceiptError, FormatError

KIND = "rfc3161"

_MAX_BASE64 = 4 * -(-MAX_RESPONSE_BYTES // 3)


class Evidence(EvidenceDocument):
    """The evidence of a receipt: a TimeStampResp (RFC 3161, section 2.4.2) in DER, as it came, in base64."""

    called: ClassVar[str] = "time stamp"

    response: Annotated[str, Field(max_length=_MAX_BASE64)]

    def stamp(self) -> Stamp:
        """Read the response, in the one spelling base64 has for it."""
        try:
            response = base64.b64decode(self.response, validate=True)
        except (binascii.Error, ValueError) as error:
            raise FormatError("time stamp", "not base64") from error
        if base64.b64encode(response).decode() != self.response:
            raise FormatError("time stamp", "not base64 in its one spelling")
        return Stamp.parse(response)


def receipt_for(stamp: Stamp, digest: Digest) -> Receipt:
    """Return the receipt of a time stamp for `digest`."""
    evidence = Evidence(response=base64.b64encode(stamp.response).decode())
    time = TimeBounds(not_after=stamp.info.not_after)
    return Receipt(kind=KIND, digest=str(digest), time=time, evidence=evidence.to_json())


def stamp_of(receipt: Receipt, digest: Digest) -> Stamp:
    """Return the time stamp in `receipt`, read and compared with `digest`, but not verified.

    Raises:
        ForeignReceiptError: It is a receipt of another kind.
        ContradictionError: It is damaged, or for another digest or time; `state` is `replaced`.
    """
    if receipt.kind != KIND:
        raise ForeignReceiptError("not a time stamp")
    try:
        stamp = Evidence.of(receipt).stamp()
    except FormatError as error:
        raise ContradictionError(f"the receipt is damaged: {error}", state=AnchorState.REPLACED) from error
    if str(digest) != receipt.digest or stamp.info.imprint != imprint_of(digest.value):
        raise ContradictionError("the receipt is for another digest", state=AnchorState.REPLACED)
    if receipt.time != TimeBounds(not_after=stamp.info.not_after):
        raise ContradictionError("the receipt is for another time", state=AnchorState.REPLACED)
    return stamp
