"""Write FILE.ots as `ots stamp FILE` does, with a calendar's promise alone; run where opentimestamps is installed."""

import sys
from pathlib import Path

from opentimestamps.core.notary import PendingAttestation
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.serialize import StreamSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile

path = Path(sys.argv[1])
with path.open("rb") as opened:
    stamped = DetachedTimestampFile.from_fd(OpSHA256(), opened)
stamped.timestamp.attestations.add(PendingAttestation("https://alice.btc.calendar.opentimestamps.org"))
with Path(f"{path}.ots").open("wb") as opened:
    stamped.serialize(StreamSerializationContext(opened))
