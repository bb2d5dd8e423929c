"""What every exporter must do: inherit `ExporterContract`, give it an exporter, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3, SHA256, Suite
from mltrust.core.leaf import Entry, Kind, Leaf, file_entry, safetensors_entry
from mltrust.core.manifest import Manifest
from mltrust.errors import UsageError
from mltrust.interfaces import Exporter, Sealing, Signer
from mltrust.statements.seal import Parameters, ReaderVersion, seal_statement

_CREATED = datetime(2026, 1, 31, tzinfo=UTC)
_NAMES = (
    "config.json",
    "tokenizer.json",
    "tokenizer/vocab.txt",
    " lead and trail ",
    "-",
    "#1 [bold]x[/bold] %s {} 'one' \"two\" <b>&amp;",
    "back\\slash",
    "new\nline",
    "car\rriage",
    "tab\tand \x1b[31mred",
    "größe/模型.bin",
    "right\u202eleft",
    "::error::x",
)


class ExporterContract:
    """The suite. A subclass gives the fixture `exporter`; nothing here needs a network.

    It may give `signers` who sign, `prepare`: what adds to a bundle what it needs, such as a signature, and
    `paths`: what returns the paths that a document names, if it names any.
    """

    @pytest.fixture
    def exporter(self) -> Exporter:
        """Return the exporter; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def signers(self) -> Sequence[Signer]:
        """Return who signs what it writes."""
        return ()

    @pytest.fixture
    def prepare(self) -> Callable[[Bundle], Bundle]:
        """Return what adds to a new seal whatever the exporter needs of one."""
        return lambda bundle: bundle

    @pytest.fixture
    def paths(self) -> Callable[[bytes], Collection[str]] | None:
        """Return what reads the paths that a document names; None: it names none."""
        return None

    @pytest.fixture
    def sealing(self, signers: Sequence[Signer], prepare: Callable[[Bundle], Bundle]) -> Callable[..., Sealing]:
        """Return a function that makes something to export of entries."""

        def make(entries: Sequence[Entry] = (), suite: Suite = BLAKE3) -> Sealing:
            manifest = Manifest.of(entries or [*map(_file, _NAMES), _weights()])
            parameters = Parameters(exclude=("/.git",), readers=(ReaderVersion(name="opaque", version=1),))
            statement = seal_statement("a model", manifest, suite, parameters, annotations={"license": "MIT"})
            return Sealing(prepare(Bundle(statement, manifest)), "mltrust.seal.json", signers, (".git",), _CREATED)

        return make

    def test_it_has_a_name_and_an_ending(self, exporter: Exporter) -> None:
        """The name is typed on command lines, the ending stands in names of files."""
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", exporter.name)
        assert re.fullmatch(r"(\.[a-z0-9]+)+", exporter.ending)

    def test_it_is_text_that_ends_with_a_line(self, exporter: Exporter, sealing: Callable[..., Sealing]) -> None:
        """Whatever names the files have, in UTF-8."""
        assert exporter.export(sealing()).decode("utf-8").endswith("\n")

    def test_one_seal_gives_one_document(self, exporter: Exporter, sealing: Callable[..., Sealing]) -> None:
        """Nothing of the clock, the machine or chance is in it, but for what signing brings."""
        if not exporter.signs:
            assert exporter.export(sealing()) == exporter.export(sealing())

    def test_any_other_digest_gives_another(self, exporter: Exporter, sealing: Callable[..., Sealing]) -> None:
        """It depends on the content of every file."""
        document = exporter.export(sealing([_file("a"), _file("b")]))
        assert exporter.export(sealing([_file("a"), _file("b", b"other")])) != document

    def test_every_path_is_named_as_it_is(
        self,
        exporter: Exporter,
        sealing: Callable[..., Sealing],
        paths: Callable[[bytes], Collection[str]] | None,
    ) -> None:
        """No name breaks the document, hides, or becomes another."""
        if paths is None:
            pytest.skip("it names no paths")
        found = paths(exporter.export(sealing()))
        assert sorted(found) == sorted([*_NAMES, "weights.safetensors"])

    def test_nothing_that_it_says_is_said_to_be_left_out(
        self, exporter: Exporter, sealing: Callable[..., Sealing]
    ) -> None:
        """There is nothing odd about these files."""
        assert list(exporter.omitted(sealing([_file("a")]))) == []

    def test_without_sha256_it_says_so(self, exporter: Exporter, sealing: Callable[..., Sealing]) -> None:
        """An exporter that needs them refuses, with a hint; any other does without."""
        bare = sealing([_file("a")._replace(sha256=b"")])
        if not exporter.needs_sha256:
            assert exporter.export(bare)
            return
        with pytest.raises(UsageError) as caught:
            exporter.export(bare)
        assert "--with-sha256" in (caught.value.hint or "")

    def test_the_digests_of_a_sha256_suite_serve_as_well(
        self, exporter: Exporter, sealing: Callable[..., Sealing]
    ) -> None:
        """Where all files are whole, they are the same."""
        entry = _file("a")
        whole = entry._replace(leaf=entry.leaf._replace(digest=entry.sha256), sha256=b"")
        assert exporter.export(sealing([whole], SHA256))
        if exporter.needs_sha256:
            with pytest.raises(UsageError):
                exporter.export(sealing([whole, _weights()._replace(sha256=b"")], SHA256))

    def test_nobody_to_sign_is_known_before(self, exporter: Exporter, signers: Sequence[Signer]) -> None:
        """What has to be signed says so before anything is read, and signs nothing then."""
        if not exporter.signs:
            assert exporter.check(()) is None  # type: ignore[func-returns-value]  # that it raises nothing
            return
        exporter.check(signers)
        with pytest.raises(UsageError) as caught:
            exporter.check(())
        assert caught.value.hint


def _file(path: str, data: bytes = b"content") -> Entry:
    return file_entry(path, len(data), BLAKE3.digest(data), sha256(data).digest())


def _weights() -> Entry:
    header = Leaf(Kind.ST_HEADER, "", 8, BLAKE3.digest(b"header"))
    tensor = Leaf(Kind.TENSOR, "embed", 4, BLAKE3.digest(b"tensor"), dtype="F32", shape=(1,))
    return safetensors_entry("weights.safetensors", header, [tensor])._replace(sha256=sha256(b"weights").digest())
