"""What every renderer must do: inherit `RendererContract`, give it a renderer, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from mltrust.core.changes import Change, ChangeKind, Difference, Facts
from mltrust.core.leaf import Kind, Leaf, file_entry, safetensors_entry
from mltrust.core.manifest import Manifest
from mltrust.core.report import AnchorState, Check, CheckKind, Notice, Outcome, Report, Scope, Verdict
from mltrust.core.row_changes import RowChange, RowChanges, RowKind
from mltrust.errors import UnreadableError
from mltrust.interfaces import Renderer, Seen
from mltrust.interfaces.rendering import Found, written
from mltrust.testing.hostile_names import FILE_NAMES, NAMES, commands, hidden

_MANY = 1_200
_DIGEST = "ab" * 32
_HARMLESS = "harmless"


class RendererContract:
    """The suite. A subclass gives the fixture `renderer`, and says how its format is read.

    `parse` reads a text as its readers do, and fails if it cannot; `succeeds` tells whether they would take what it
    says for a success.
    """

    @pytest.fixture
    def renderer(self) -> Renderer:
        """Return the renderer; every subclass gives its own."""
        raise NotImplementedError

    def parse(self, text: str) -> object:
        """Read a text; raise whatever the reader of the format raises if it is malformed."""
        raise NotImplementedError

    def succeeds(self, text: str) -> bool:
        """Tell whether a reader would take it for a success."""
        raise NotImplementedError

    def test_it_has_a_name_and_a_media_type(self, renderer: Renderer) -> None:
        """The name is typed on command lines."""
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", renderer.name)
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", renderer.media_type)

    def test_the_same_gives_the_same_text_that_ends_with_a_line(self, renderer: Renderer) -> None:
        """Nothing of the clock or chance is in it; and another thing gives another text."""
        pairs: tuple[tuple[Found, Found], ...] = (
            (failed(["a"]), failed(["b"])),
            (different(["a"]), different(["b"])),
            (UnreadableError("a"), UnreadableError("b")),
        )
        for one, other in pairs:
            text = rendered(renderer, one)
            assert text.endswith("\n")
            assert text == rendered(renderer, one)
            assert text != rendered(renderer, other)
            self.parse(text)

    def test_only_what_is_verified_or_the_same_is_a_success(self, renderer: Renderer) -> None:
        """No verdict is lost, and what could not be decided is not a success."""
        good: tuple[Found, ...] = (verified(), different([]))
        for found in good:
            assert self.succeeds(rendered(renderer, found)), found
        bad: tuple[Found, ...] = (failed(["a"]), different(["a"]), UnreadableError("no seal"), *inconclusive())
        for found in bad:
            assert not self.succeeds(rendered(renderer, found)), found

    def test_it_says_what_was_found(self, renderer: Renderer) -> None:
        """The verdict, what differs and why nothing was found are there to be read."""
        texts = {found.verdict: rendered(renderer, found).lower() for found in (verified(), failed(["a"]))}
        texts |= {found.verdict: rendered(renderer, found).lower() for found in inconclusive()}
        assert all(texts[verdict].count(verdict) for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE))
        assert "config.json" in rendered(renderer, failed(["config.json"]))
        assert "config.json" in rendered(renderer, different(["config.json"]))
        trouble = rendered(renderer, UnreadableError("there is no seal", hint="Name one."))
        assert "there is no seal" in trouble
        assert "Name one." in trouble

    def test_what_is_not_at_hand_is_done_without(self, renderer: Renderer) -> None:
        """The manifests, the seal and the exit code may not be there."""
        everything: tuple[Found, ...] = (failed(["a"]), verified(), different(["a"]))
        for found in everything:
            text = "".join(written(renderer, found, Seen()))
            self.parse(text)
            assert self.succeeds(text) is (found == verified())

    def test_names_stay_names(self, renderer: Renderer) -> None:
        """No name hides, starts a line, closes a quote, or is a command to whatever reads it; one by one."""
        expected = {kind: rendered(renderer, found) for kind, found in _everything(_HARMLESS).items()}
        for name in NAMES:
            for kind, found in _everything(name).items():
                text = rendered(renderer, found, name)
                where = f"{kind}: {name[:80]!a}"
                assert hidden(text) == [], where
                assert commands(text) == commands(expected[kind]), where
                self.parse(text)
                assert self.succeeds(text) is self.succeeds(expected[kind]), where

    def test_all_names_together(self, renderer: Renderer) -> None:
        """Many names in one text are as harmless as one, and with each other."""
        names = [f"{at}{name}" if name in NAMES[-6:] else name for at, name in enumerate(NAMES)]
        both: tuple[Found, ...] = (failed(names), different(names))
        for found in both:
            for verbose in (False, True):
                text = "".join(written(renderer, found, replace(_seen("x", names), verbose=verbose)))
                assert hidden(text) == []
                self.parse(text)
                assert not self.succeeds(text)

    def test_nothing_is_left_out_silently(self, renderer: Renderer) -> None:
        """Either every name is there, or how many more there are."""
        names, report, difference = _many()
        both: tuple[Found, ...] = (report, difference)
        for found in both:
            text = "".join(written(renderer, found, Seen(artifact="model", folder="model")))
            told = sum(name in text for name in (names[0], names[_MANY // 2], names[-1]))
            assert told
            assert told == 3 or re.search(r"[0-9][0-9,]* more", text)  # noqa: PLR2004  # all of them
            self.parse(text)


@cache
def _many() -> tuple[Sequence[str], Report, Difference]:
    names = [f"file-{number:05}.bin" for number in range(_MANY)]
    return names, failed(names), different(names)


def rendered(renderer: Renderer, found: Found, name: str = _HARMLESS) -> str:
    """Return the whole text."""
    return "".join(written(renderer, found, _seen(name, [name])))


def _seen(name: str, names: Sequence[str]) -> Seen:
    manifest = _manifest([each for each in names if each in (*FILE_NAMES, _HARMLESS)])
    return Seen(name, f"{name}/mltrust.seal.json", name, manifest, manifest, exit_code=1)


def _manifest(names: Sequence[str]) -> Manifest:
    digest = bytes(32)
    header = Leaf(Kind.ST_HEADER, "", 8, digest)
    tensors = [Leaf(Kind.TENSOR, name, 4, digest, dtype="F32", shape=(1,)) for name in sorted(set(names))]
    weights = [safetensors_entry("weights.safetensors", header, tensors)] if tensors else []
    return Manifest.of([*(file_entry(name, 1, digest) for name in set(names)), *weights])


def verified() -> Report:
    """Return a report on what is verified."""
    return _report([_check(CheckKind.CONTENT, Outcome.PASS), _check(CheckKind.ANCHOR, Outcome.PASS)], [])


def failed(names: Sequence[str]) -> Report:
    """Return a report on files that differ, with these names everywhere."""
    told = names[0] if names else ""
    checks = [
        _check(CheckKind.CONTENT, Outcome.FAIL, told),
        _check(CheckKind.ANCHOR, Outcome.UNCHECKED, told),
        _check(CheckKind.SIGNATURE, Outcome.PASS, told),
    ]
    return _report(checks, names)


def inconclusive() -> Sequence[Report]:
    """Return reports that decide nothing, each for another reason."""
    content = _check(CheckKind.CONTENT, Outcome.PASS)
    pointer = Change(kind=ChangeKind.POINTER, name="weights.bin", of=Kind.FILE)
    unread = _report([_check(CheckKind.CONTENT, Outcome.UNCHECKED)], [])
    return (
        _report([], []),  # nothing was checked
        _report([content], []),  # nobody was asked
        _report([content, _check(CheckKind.ANCHOR, Outcome.UNCHECKED)], []),
        _report([_check(CheckKind.ANCHOR, Outcome.PASS)], []),  # nothing was read
        unread.model_copy(update={"changes": (pointer,)}),
        unread.model_copy(update={"content_only": True}),
    )


def different(names: Sequence[str]) -> Difference:
    """Return a difference in files with these names."""
    told = names[0] if names else "a"
    return Difference(
        before=told,
        after=told,
        same_content=not names or None,
        same_rows=None,
        measured=True,
        bytes_changed=len(names),
        bytes_total=10 + len(names),
        changes=_changes(names),
    )


def _everything(name: str) -> dict[str, Found]:
    return {
        "a report": failed([name]),
        "a difference": different([name]),
        "trouble": UnreadableError(f"{name}: cannot be read", hint=f"Look at {name}."),
        "trouble that begins so": UnreadableError(name, hint=name),
    }


def _report(checks: Sequence[Check], names: Sequence[str]) -> Report:
    return Report(
        name=names[0] if names else "model",
        fingerprint=_DIGEST,
        root=_DIGEST,
        suite="mltrust-1",
        content_only=False,
        scope=Scope(files=1, tensors=1, bytes=10, excluded=tuple(names), left_out=tuple(names)),
        checks=tuple(checks),
        changes=_changes(names),
        notices=tuple(Notice(code="pickle", path=name, message=f"{name} runs code when loaded") for name in names),
    )


def _check(kind: CheckKind, outcome: Outcome, name: str = "one") -> Check:
    state = AnchorState.VERIFIED if outcome is Outcome.PASS else AnchorState.UNAVAILABLE
    return Check(
        kind=kind,
        name=name,
        outcome=outcome,
        summary=f"what {name} says",
        state=state if kind is CheckKind.ANCHOR else None,
        level=name,
        voice=name,
        hint=name,
        evidence=(name,),
        names=(name,),
    )


def _changes(names: Sequence[str]) -> tuple[Change, ...]:
    kinds = tuple(ChangeKind)
    return tuple(_change(kinds[at % len(kinds)], name) for at, name in enumerate(names))


def _change(kind: ChangeKind, name: str) -> Change:
    facts = Facts(size=10, digest=_DIGEST)
    tensor = Facts(size=4, digest=_DIGEST, dtype=name, shape=(2, 2))
    parts = (
        Change(kind=ChangeKind.CHANGED, name="", of=Kind.ST_HEADER, before=facts, after=facts),
        Change(kind=ChangeKind.RENAMED, name=name, other=name, of=Kind.TENSOR, before=tensor, after=tensor),
    )
    row = RowChange(kind=RowKind.CHANGED, before=1, after=1, key=name, text_before=name, text_after=name)
    rows = RowChanges(
        rows_before=1, rows_after=1, changed=1, added=0, removed=0, moved=0, header=True, key_column=name, note=name,
        listed=(row,),
    )  # fmt: skip
    return Change(
        kind=kind, name=name, other=name, of=Kind.FILE, before=facts, after=facts, note=name, parts=parts, rows=rows
    )
