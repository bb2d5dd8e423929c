"""The block of a model card, and a badge: what a seal says, for people who read a README.

A card proves nothing: whoever can change the files can change it. So it says what to run, and that what is trusted must
come from elsewhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mltrust.core.bundle import Bundle
from mltrust.core.canonical import Json
from mltrust.core.exclusion import SEAL_NAME
from mltrust.core.names import count, counted, shown
from mltrust.renderers.markdown import code
from mltrust.renderers.readme import BEGIN, END
from mltrust.statements.seal import read_seal

_FEW = 8
_SHORT = 12
_WIDTHS = (58, 150)
_CAUTION = (
    "This page proves nothing by itself: whoever can change the files can change it, too. Take what you trust (a key, "
    "an anchor, the fingerprint) from somewhere else."
)


@dataclass(frozen=True)
class Card:
    """What is known when a card is written: the seal, or nothing of it (None) if the README is to be sealed as well.

    `repository` is where a Hub has the files (`OWNER/NAME`), `badge` where the picture is, seen from the README; both
    may be empty.
    """

    bundle: Bundle | None
    repository: str = ""
    badge: str = ""

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint as `verify --fingerprint` takes it."""
        if self.bundle is None:
            return None
        predicate = read_seal(self.bundle.statement)
        return f"{predicate.suite}:{predicate.fingerprint().hex()}"

    def front_matter(self) -> str:
        """Return the key for the YAML at the top of a README; every value is a JSON string, as YAML has them."""
        said = {"seal": SEAL_NAME, "fingerprint": self.fingerprint}
        if self.bundle is not None:
            said["statement"] = str(self.bundle.statement.digest())
        lines = (f"  {key}: {json.dumps(value)}" for key, value in said.items() if value is not None)
        return "\n".join(["mltrust:", *lines, ""])

    def block(self) -> str:
        """Return the section, with its markers."""
        return "\n".join([BEGIN, "## Integrity", "", *self._lines(), END, ""])

    def _lines(self) -> Iterator[str]:
        if self.badge:
            yield from (f"![Sealed with mltrust](<{self.badge}>)", "")
        if self.bundle is None:
            yield f"These files, and this page with them, are sealed with mltrust; the seal is {code(SEAL_NAME)}."
        else:
            yield from self._facts(self.bundle)
        yield from ("", "Verify a copy:", "", "```sh", *self._commands(), "```", "", _CAUTION)

    def _facts(self, bundle: Bundle) -> Iterator[str]:
        predicate, name = read_seal(bundle.statement), bundle.statement.subject[0].name
        totals = predicate.totals
        yield f"{code(shown(name))} is sealed with mltrust:"
        yield f"{counted(totals.files, totals.tensors, totals.records, count(totals.bytes, 'byte'))}."
        yield from ("", "| | |", "|---|---|", f"| fingerprint | {code(self.fingerprint or '')} |")
        keys = [shown(signature.keyid) or "a key without an id" for signature in bundle.signatures]
        yield f"| signed by | {_few(keys) or 'nobody'} |"
        anchored = [f"{each.kind}, {each.time.not_after or 'without a time'}" for each in bundle.receipts]
        yield f"| receipts of | {_few(anchored) or 'none in the seal'} |"
        yield f"| left out | {_few([shown(pattern) for pattern in predicate.parameters.exclude]) or 'nothing'} |"

    def _commands(self) -> Iterator[str]:
        where = f"hf://{self.repository}" if self.repository else "FOLDER"
        yield f"pip install {chr(39)}mltrust[hub]{chr(39)}" if self.repository else "pip install mltrust"
        yield f"mltrust verify {where} {self._trust()}"

    def _trust(self) -> str:
        if self.bundle is None or self.bundle.signatures:
            return "--key KEY_OF_THE_PUBLISHER"
        return "--anchor ANCHOR_OF_THE_PUBLISHER" if self.bundle.receipts else "--fingerprint FINGERPRINT"

    def svg(self) -> str:
        """Return a badge: a picture with nothing in it that is fetched or run. It says `sealed`, never `verified`."""
        value = "sealed" if self.fingerprint is None else f"sealed {self.fingerprint.rpartition(':')[2][:_SHORT]}"
        left, right = _WIDTHS
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
            f'aria-label="mltrust: {value}"><title>mltrust: {value}</title>'
            f'<rect width="{left}" height="20" fill="#444"/>'
            f'<rect x="{left}" width="{right}" height="20" fill="#1f6feb"/>'
            '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
            f'<text x="{left / 2:g}" y="14">mltrust</text>'
            f'<text x="{left + right / 2:g}" y="14">{value}</text></g></svg>\n'
        )

    def to_json(self) -> dict[str, Json]:
        """Return the fields of the JSON result."""
        return {
            "name": self.bundle.statement.subject[0].name if self.bundle else None,
            "fingerprint": self.fingerprint,
            "statement": str(self.bundle.statement.digest()) if self.bundle else None,
            "signatures": [each.keyid for each in self.bundle.signatures] if self.bundle else [],
            "receipts": [each.kind for each in self.bundle.receipts] if self.bundle else [],
            "front_matter": self.front_matter(),
            "markdown": self.block(),
        }


def _few(texts: list[str]) -> str:
    more = f" and {len(texts) - _FEW:,} more" if len(texts) > _FEW else ""
    return ", ".join(map(code, texts[:_FEW])) + more
