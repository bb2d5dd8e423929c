import pytest

from mltrust.testing import AnchorContract


class TestRfc3161Anchor(AnchorContract):
    @pytest.fixture
    def anchor(self, tsa, home):
        return tsa.anchor(home)

    @pytest.fixture
    def other(self, authority, home):
        return authority("other").anchor(home)

    @pytest.fixture
    def uri(self):
        return "rfc3161:https://tsa.example/tsr"


class TestAuthorityWithAChain(AnchorContract):
    """The certificate of the authority was issued by an intermediate, which the user has in a file."""

    @pytest.fixture
    def anchor(self, authority, home, identity, pem, tmp_path):
        root = identity.root()
        between = root.intermediate()
        (tmp_path / "between.pem").write_bytes(pem(between.certificate))
        tsa = authority("chain", root, between.tsa())
        return tsa.anchor(home, intermediates=[str(tmp_path / "between.pem")], policy="1.2.3.4.1")

    @pytest.fixture
    def other(self, authority, home):
        return authority("other").anchor(home)
