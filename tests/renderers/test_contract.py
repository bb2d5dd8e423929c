"""Every renderer of ours keeps the contract, read as those read it for whom it is written."""

import json
import re
from xml.etree import ElementTree

import pytest

from mltrust.renderers.github import GithubRenderer
from mltrust.renderers.junit import JunitRenderer
from mltrust.renderers.markdown import MarkdownRenderer
from mltrust.renderers.ndjson import NdjsonRenderer
from mltrust.renderers.reports import JsonRenderer, TextRenderer
from mltrust.renderers.sarif import SarifRenderer
from mltrust.testing import RendererContract


class TestText(RendererContract):
    @pytest.fixture
    def renderer(self):
        return TextRenderer()

    def parse(self, text):
        return text.splitlines()

    def succeeds(self, text):
        return text.startswith(("VERIFIED  ", "SAME  "))


class TestJson(RendererContract):
    @pytest.fixture
    def renderer(self):
        return JsonRenderer()

    def parse(self, text):
        assert text.isascii()
        return json.loads(text)

    def succeeds(self, text):
        found = self.parse(text)
        is_difference = found["mediaType"] == "application/vnd.mltrust.diff.v1+json"
        return found["changes"] == [] if is_difference else found.get("verdict") == "verified"


class TestNdjson(RendererContract):
    @pytest.fixture
    def renderer(self):
        return NdjsonRenderer()

    def parse(self, text):
        assert text.isascii()
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines[0]["type"] == "header"
        assert [line["type"] for line in lines if line["type"] in ("verdict", "trouble")] == [lines[-1]["type"]]
        return lines

    def succeeds(self, text):
        return self.parse(text)[-1].get("verdict") in ("verified", "same")


class TestSarif(RendererContract):
    @pytest.fixture
    def renderer(self):
        return SarifRenderer()

    def parse(self, text):
        assert text.isascii()
        (run,) = json.loads(text)["runs"]
        (invocation,) = run["invocations"]
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~%/-]+|[a-z0-9]+://[A-Za-z0-9._~%/-]+", uri)
            assert not re.search(r"\]\(|(?<!\{)\{(?:\{\{)*(?!\{)", result["message"]["text"])
        return invocation, run["results"]

    def succeeds(self, text):
        invocation, results = self.parse(text)
        return invocation["executionSuccessful"] and all(result["level"] == "note" for result in results)


class TestJunit(RendererContract):
    @pytest.fixture
    def renderer(self):
        return JunitRenderer()

    def parse(self, text):
        root = ElementTree.fromstring(text)
        (suite,) = root
        assert len(suite.findall("testcase")) == int(root.get("tests"))
        return suite

    def succeeds(self, text):
        suite = self.parse(text)
        found = (len(list(suite.iter("failure"))), len(list(suite.iter("error"))))
        assert found == (int(suite.get("failures")), int(suite.get("errors")))
        return found == (0, 0)


COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-z]+=[^,:\r\n]*,?)+)::([^\r\n]*)")


class TestGithub(RendererContract):
    @pytest.fixture
    def renderer(self):
        return GithubRenderer()

    def parse(self, text):
        lines = [COMMAND.fullmatch(line) for line in text.splitlines()]
        assert len(lines) <= 10
        assert all(lines)
        for line in lines:
            properties = dict(each.split("=", 1) for each in line[2].split(","))
            assert set(properties) <= {"file", "line", "title"}
            assert not re.search(r"%(?!25|0D|0A|3A|2C)", line[2])
            assert not re.search(r"%(?!25)", line[3]), "every percent sign is an escaped one: nothing else is decoded"
        return [line[1] for line in lines]

    def succeeds(self, text):
        return "error" not in self.parse(text)


class TestMarkdown(RendererContract):
    @pytest.fixture
    def renderer(self):
        return MarkdownRenderer()

    def parse(self, text):
        """Read as GitHub does: nothing but our own elements comes out, and nothing that could be a reference."""
        cmarkgfm = pytest.importorskip("cmarkgfm")
        options = cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE | cmarkgfm.cmark.Options.CMARK_OPT_FOOTNOTES
        html = cmarkgfm.github_flavored_markdown_to_html(text, options)
        root = ElementTree.fromstring(f"<all>{html.replace('<br>', '<br/>')}</all>")
        tags = {each.tag for each in root.iter()}
        assert tags <= {
            "all",
            "h2",
            "h3",
            "p",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "ul",
            "li",
            "code",
            "strong",
            "br",
        }, tags
        assert all(not each.attrib for each in root.iter())
        for cells in (len(row) for row in root.iter("tr")):
            assert cells == 3
        for each in root.iter():
            outside = "" if each.tag == "code" else each.text or ""
            assert not re.search(r"[@#<`|$\[\]]|://|www\.|[0-9a-f]{7}|:\w+:", outside + (each.tail or "")), html
        return root

    def succeeds(self, text):
        return self.parse(text).find("h2").text.startswith(("VERIFIED:", "SAME:"))
