"""What every signer must do: inherit `SignerContract`, give it a signer, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from mltrust.core import canonical
from mltrust.core.dsse import PAYLOAD_TYPE, Signature, pae
from mltrust.core.public_key import PublicKey, read_public_key
from mltrust.errors import UsageError
from mltrust.interfaces import Home, Settings, Signer

ONE, TWO = (f'{{"_type":"https://in-toto.io/Statement/v1","number":{number}}}'.encode() for number in (1, 2))
_LARGE = b'{"_type":"' + b"x" * 100_000 + b'"}'
_SETTINGS: list[object] = [None, True, -1, 2**64, 1.5, "", "\0", "x" * 100_000, [], ["\0"], {}, {"x": 1}]


class SignerContract:
    """The suite. A subclass gives the fixture `signer`: a new one that can sign, and asks nobody.

    It may give `uri`: one that names such a signer, and `settings`: what that needs. Nothing here needs a network.
    """

    @pytest.fixture
    def signer(self) -> Signer:
        """Return a new signer; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def uri(self) -> str | None:
        """Return a URI of such a signer; None skips the tests that need one."""
        return None

    @pytest.fixture
    def settings(self) -> Settings:
        """Return the settings that the signer of `uri` needs."""
        return {}

    @pytest.fixture
    def home(self, tmp_path: Path) -> Home:
        """Return a home without anything in it, where nobody can be asked."""
        return Home(tmp_path / "no-data", tmp_path / "no-state")

    def test_it_fits_the_socket(self, signer: Signer) -> None:
        """It has every method, a scheme fit for URIs, and a name of one line."""
        assert isinstance(signer, Signer)
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", type(signer).scheme)
        assert signer.name
        assert signer.name.isprintable()

    def test_a_uri_names_it_and_no_other(self, signer: Signer, uri: str | None, settings: Settings, home: Home) -> None:
        """Its own URIs open, without a file or a connection, and name the same key; what is none is refused."""
        if uri is None:
            pytest.skip("no URI")
        plug = type(signer)
        opened = plug.from_uri(uri, home, settings)
        assert not home.data.exists()
        assert not home.state.exists()
        assert opened.public_key() == signer.public_key()
        for wrong in ("", plug.scheme, f"{plug.scheme}:\0", "no-such-scheme:x", f"x{uri}"):
            with pytest.raises(UsageError):
                plug.from_uri(wrong, home, settings)

    def test_a_setting_of_another_type_is_the_callers_error(
        self, signer: Signer, uri: str | None, settings: Settings, home: Home
    ) -> None:
        """Settings come from a file people write: each is taken or refused, and nothing else happens."""
        if uri is None:
            pytest.skip("no URI")
        for setting, value in product(type(signer).settings, _SETTINGS):
            with suppress(UsageError):
                type(signer).from_uri(uri, home, {**settings, setting: value})

    def test_its_key_stays(self, signer: Signer) -> None:
        """It has the same key as long as it lives, and that can be written and read; or none, and never one."""
        key = signer.public_key()
        assert signer.public_key() == key
        assert key is None or read_public_key(key.to_pem(), "its key") == key

    def test_each_part_of_its_key_signs(self, signer: Signer) -> None:
        """There is one signature for each part of the key, in their order, over the PAE of the payload."""
        for payload in (ONE, TWO, _LARGE):
            signatures = signer.sign(payload)
            assert signatures
            key = signer.public_key()
            if key is None:
                assert all(each.material for each in signatures), "who has no key brings a certificate"
            else:
                assert _signed(key, signatures, pae(payload)) == [True] * len(key.parts)

    def test_a_signature_is_over_its_payload_only(self, signer: Signer) -> None:
        """It is not over another payload, another type, or the bytes alone: nobody can take it for something else."""
        key, signatures = signer.public_key(), signer.sign(ONE)
        if key is None:
            pytest.skip("it signs with certificates")
        for other in (pae(TWO), ONE, pae(ONE, PAYLOAD_TYPE + "x"), pae(ONE)[:-1], b""):
            assert _signed(key, signatures, other) == [False] * len(key.parts)

    def test_it_signs_again(self, signer: Signer) -> None:
        """Signing once more gives signatures that are as good, whether or not they are the same."""
        key = signer.public_key()
        signer.sign(ONE)
        again = signer.sign(ONE)
        assert key is None or _signed(key, again, pae(ONE)) == [True] * len(key.parts)

    def test_its_signatures_survive_json(self, signer: Signer) -> None:
        """A signature is data: written to a seal and read back it is the same."""
        for signature in signer.sign(ONE):
            text = json.dumps(signature.to_json()).encode()
            assert Signature.from_json(canonical.loads(text, "signature"), "signature") == signature


def _signed(key: PublicKey, signatures: Sequence[Signature], message: bytes) -> list[bool]:
    assert [each.keyid for each in signatures] == list(key.ids)
    return [part.verifies(message, each.value()) for part, each in zip(key.parts, signatures, strict=True)]
