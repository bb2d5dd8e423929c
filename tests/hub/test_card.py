"""`mltrust card`: what it says, and that it touches nothing else of a README."""

import json
import os
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from mltrust import api
from mltrust.core.dsse import Signature
from mltrust.errors import FormatError
from mltrust.renderers.card import Card
from mltrust.renderers.readme import BEGIN, END, with_card

README = (
    b"---\nlicense: mit   # a comment\ntags:\n- tiny\n- 'odd: one'\nbase_model:\n- a/b\n---\n"
    b"# Tiny\r\nA  line\twith \xff odd bytes \n\n\n"
)
KEY, BLOCK = 'mltrust:\n  seal: "s"\n', f"{BEGIN}\ntext\n{END}\n"


def put(readme, key=KEY, block=BLOCK):
    return with_card(readme, key, block, "README.md")


class TestInAReadme:
    def test_every_other_byte_stays(self):
        once = put(README)
        assert once.replace(KEY.encode(), b"").replace(b"\n" + BLOCK.encode(), b"") == README
        assert once.index(b"mltrust:") < once.index(b"# Tiny")
        assert put(once) == once
        again = put(once + b"\nbelow", KEY.replace('"s"', '"other"'), BLOCK.replace("text", "other"))
        assert again == once.replace(b'"s"', b'"other"').replace(b"\ntext\n", b"\nother\n") + b"\nbelow"

    @given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([b"", b"a: 1\n", b"a:\n- b\n", b"# c\n\n"]))
    def test_any(self, above, below, yaml):
        for readme in (above, b"---\n" + yaml + b"---\n" + below):
            try:
                once = put(readme)
            except FormatError:
                continue
            assert put(once) == once
            lines = iter(once.splitlines())
            assert all(line in lines for line in readme.removeprefix(b"\xef\xbb\xbf").splitlines()), (readme, once)

    @pytest.mark.parametrize(
        "readme", [b"", b"# Only text\n", b"no newline", b"\xef\xbb\xbf# A mark\n", b"---\nnot closed"]
    )
    def test_without_front_matter_one_is_made(self, readme):
        done = put(readme)
        assert done.removeprefix(b"\xef\xbb\xbf").startswith(b"---\n" + KEY.encode() + b"---\n")
        assert readme.removeprefix(b"\xef\xbb\xbf") in done
        assert put(done) == done

    def test_line_ends_are_those_of_the_file(self):
        done = put(README.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        assert done.count(b"\n") == done.count(b"\r\n")
        assert put(done) == done

    @pytest.mark.parametrize(
        "odd",
        [
            b"---\n'mltrust': 1\n---\n",
            b"---\nmltrust: 1\nmltrust: 2\n---\n",
            b"---\nmltrust:\n- a\n---\n",
            b"---\n{a: 1}\n---\n",
            f"{BEGIN}\n".encode(),
            f"{END}\n{BEGIN}\n".encode(),
            f"{BEGIN}\n{BEGIN}\n{END}\n".encode(),
            f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n".encode(),
        ],
    )
    def test_what_is_not_clear_is_refused(self, odd):
        with pytest.raises(FormatError, match=r"README\.md"):
            put(odd)

    def test_the_library_of_the_hub_reads_it(self):
        card = ModelCard(put(README.replace(b"\xff", b"")).decode())
        data = card.data.to_dict()
        assert (data["mltrust"], data["tags"], data["license"]) == ({"seal": "s"}, ["tiny", "odd: one"], "mit")


HOSTILE = "evil`|](javascript:x)<img src=x>\n---\n<!-- mltrust:end -->\x1b[31m\u202e"


class TestTheBlock:
    @pytest.fixture
    def bundle(self, model):
        return api.seal(model, name=HOSTILE, exclude=["/a`b|c*"]).bundle

    def test_names_stay_names(self, bundle):
        signed = replace(bundle, signatures=(Signature(keyid=HOSTILE, sig="AA=="),))
        for card in (Card(bundle), Card(signed, "acme/tiny", "badge.svg")):
            block = card.block()
            lines = block.splitlines()
            assert [line for line in lines if line in (BEGIN, END)] == [lines[0], lines[-1]] == [BEGIN, END]
            assert not any(odd in block for odd in ("\x1b", "\u202e", "evil`|"))
            assert all(line.count("|") in (0, 3) for line in lines)
            outside = "".join(block.replace("```", "").split("`")[::2])
            assert "javascript" not in outside
            assert "<img" not in outside
            assert put(put(b"", card.front_matter(), block), card.front_matter(), block)

    def test_what_it_says(self, bundle):
        card = Card(bundle, "datasets/acme/tiny")
        fingerprint = card.fingerprint.rpartition(":")[2]
        assert f"| fingerprint | `mltrust-1:{fingerprint}` |" in card.block()
        assert "| signed by | nobody |" in card.block()
        assert "mltrust verify hf://datasets/acme/tiny --fingerprint FINGERPRINT" in card.block()
        assert "proves nothing by itself" in card.block()
        before = Card(None, "acme/tiny")
        assert before.fingerprint is None
        assert "fingerprint" not in before.front_matter() + before.block().replace("the fingerprint) from", "")

    def test_a_badge(self, bundle):
        for card in (Card(bundle), Card(None)):
            svg = ElementTree.fromstring(card.svg())
            assert {each.tag.rpartition("}")[2] for each in svg.iter()} == {"svg", "title", "rect", "g", "text"}
            assert "verified" not in card.svg()
        assert Card(bundle).fingerprint.rpartition(":")[2][:12] in Card(bundle).svg()


class TestCommand:
    @pytest.fixture
    def readme(self, model):
        (model / "README.md").write_bytes(README)
        return model / "README.md"

    def test_the_readme_is_left_out(self, mltrust, readme, model):
        readme.chmod(0o640)
        assert mltrust("seal", model, "--exclude", "/README.md", "--exclude", "/badge.svg").code == 0
        how = ("card", model, "--repo", "acme/tiny", "--write", readme, "--badge", model / "badge.svg")
        assert mltrust(*how).code == 0
        text, status = readme.read_bytes(), readme.stat()
        assert b"![Sealed with mltrust](<badge.svg>)" in text
        assert b"mltrust verify hf://acme/tiny --anchor ANCHOR_OF_THE_PUBLISHER" in text
        assert status.st_mode & 0o777 == 0o640
        assert mltrust(*how).code == 0
        assert (readme.read_bytes(), readme.stat()[:9]) == (text, status[:9])  # nothing was written
        done = mltrust("verify", model)
        assert done.code == 0
        assert "left out by the seal's rules: README.md, badge.svg, mltrust.seal.json" in done.out

    def test_the_readme_is_sealed(self, mltrust, readme, model):
        done = mltrust("card", model, "--before-seal", "--write", readme)
        assert (done.code, "Now seal the folder" in done.err) == (0, True)
        assert mltrust("seal", model).code == 0
        written = readme.read_bytes()
        for target in (readme, model / "new.svg"):
            option = "--write" if target == readme else "--badge"
            refused = mltrust("card", model, option, target)
            assert (refused.code, "is covered by the seal" in refused.err) == (2, True)
            assert "--before-seal" in refused.err
        assert readme.read_bytes() == written
        assert not (model / "new.svg").exists()
        assert mltrust("verify", model).code == 0

    def test_it_is_printed(self, mltrust, model):
        seal = api.seal(model, output=model.parent / "tiny.seal.json").path
        done = mltrust("card", seal)
        assert done.code == 0
        assert ModelCard(done.out).data.to_dict()["mltrust"]["fingerprint"] in done.out.partition(BEGIN)[2]
        told = json.loads(mltrust("card", seal, "--format", "json").out)
        assert told["mediaType"] == "application/vnd.mltrust.card.v1+json"
        assert told["front_matter"] + "---\n\n" + told["markdown"] == done.out.removeprefix("---\n")

    @pytest.mark.parametrize(
        ("arguments", "code", "what"),
        [
            (("tiny", "--repo", "x; rm -rf /"), 2, "names no repository"),
            (("tiny",), 3, "no seal at"),
            (("nothing", "--before-seal"), 2, "does not exist"),
            (("tiny", "--before-seal", "--write", "tiny"), 3, "is not a regular file"),
        ],
    )
    def test_what_makes_no_sense(self, arguments, code, what, mltrust, model):
        done = mltrust("card", *arguments)
        assert (done.code, what in done.err) == (code, True), done.err

    @pytest.mark.skipif(os.name == "nt", reason="links")
    def test_a_seal_of_somewhere_else_is_no_hindrance(self, mltrust, readme, model, tmp_path):
        seal = api.seal(model, output=tmp_path / "tiny.seal.json").path
        (tmp_path / "README.md").write_bytes(README)
        assert mltrust("card", seal, "--write", tmp_path / "README.md").code == 0
