"""Publishing: records are added to the notes of this repository by compare-and-swap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mltrust.anchors.git_notes.history import History
from mltrust.anchors.git_notes.judgement import Judgement
from mltrust.anchors.git_notes.patience import Patience
from mltrust.anchors.git_notes.reading import Place, Reader
from mltrust.anchors.git_notes.record import Record
from mltrust.anchors.git_notes.repository import NOTES
from mltrust.anchors.git_notes.writing import Additions, Writer
from mltrust.core.digest import Digest
from mltrust.core.note import Signer, VerifierKey
from mltrust.core.receipt import timestamp
from mltrust.errors import AnchorError


@dataclass(frozen=True, slots=True)
class Request:
    """A digest, the path of its seal, and the id of the object beside which its record is to stand."""

    digest: Digest
    path: str | None
    annotated: str


@dataclass(frozen=True)
class Published:
    """A record for each request, and the lines that now stand beside objects."""

    records: list[Record]
    lines: Additions


@dataclass(frozen=True)
class Publisher:
    """Publishes as `signer`, at the time `now`; `trusted` are all keys whose records count."""

    reader: Reader
    writer: Writer
    patience: Patience
    signer: Signer
    now: datetime
    trusted: Sequence[VerifierKey]
    _signed: dict[Request, Record] = field(default_factory=dict)

    def publish(self, requests: Sequence[Request]) -> Published:
        """Add a record for each request.

        1. What is there is read, and must not have gone back behind what was seen of it.
        2. A record of this key for this digest and path is taken again, also one that was removed: publishing is the
           way to put it back. Only where there is none a new one is signed.
        3. If all stands there already, nothing is written.
        4. Else the new notes are written, and the ref is moved from what was read; if it was moved since: from the top.
        """
        trouble: AnchorError | None = None
        for _ in self.patience.tries():
            # 1.
            places = self.reader.read()
            # 2.
            own = Judgement(places, [self.signer.verifier_key])
            records = [self._record(request, own) for request in requests]
            lines = self._lines(requests, records, places)
            # 3.
            ours = next((place.history for place in places if place.ref == NOTES), None)
            if ours is not None and _stand(lines, ours):
                return Published(records, lines)
            # 4.
            base = [ours] if ours is not None else [place.history for place in places[:1]]
            trouble = self.writer.repository.swap(ours.tip if ours else None, self.writer.advance(base, lines))
            if trouble is None:
                return Published(records, lines)
        raise trouble or AnchorError("the notes could not be written")

    def _record(self, request: Request, own: Judgement) -> Record:
        known = [
            *(record for record, _ in own.records(request.digest)),
            *(record for record, _ in own.gone(request.digest)),
        ]
        same = [record for record in known if record.path == request.path]
        if same:
            return min(same, key=lambda record: (record.time, record.format()))
        if request not in self._signed:
            record = Record.signed(request.digest, request.path, timestamp(self.now), self.signer)
            self._signed[request] = record
        return self._signed[request]

    def _lines(self, requests: Sequence[Request], records: Sequence[Record], places: Sequence[Place]) -> Additions:
        counting = Judgement(places, self.trusted)
        lines: dict[str, set[bytes]] = {}
        for request, record in zip(requests, records, strict=True):
            back = {gone.format() for gone, _ in counting.gone(request.digest)}
            lines.setdefault(request.annotated, set()).update({record.format()}, back)
        return lines


def _stand(lines: Additions, history: History) -> bool:
    there = history.lines_now()
    return all(annotated in there.get(line, ()) for annotated, some in lines.items() for line in some)
