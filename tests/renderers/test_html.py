"""The page, read as a browser's parser reads it; `tests/browser/` opens it in a real one."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from mltrust.core.changes import Change, ChangeKind, Difference, Facts, changes_between
from mltrust.core.leaf import Kind, Leaf, file_entry, safetensors_entry
from mltrust.core.manifest import Manifest, ManifestBuilder
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome, Report, Scope
from mltrust.core.row_changes import RowChange, RowChanges, RowKind
from mltrust.interfaces import Seen
from mltrust.renderers.html import HtmlRenderer
from mltrust.renderers.html.places import place_of
from mltrust.testing import RendererContract

VOID = {"meta", "br"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "h1", "h2", "h3", "p"),
    *("ul", "li", "dl", "div", "dt", "dd", "span", "code", "strong", "br", "pre", "figure", "figcaption", "details"),
    *("summary", "table", "thead", "tbody", "tr", "th", "td", "svg", "defs", "pattern", "rect", "line", "g", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "title", "role", "tabindex", "scope"),
    *("colspan", "viewbox", "preserveaspectratio", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "fill"),
    *("patternunits", "patterntransform", "aria-hidden", "aria-label", "aria-labelledby"),
}


class Page(HTMLParser):
    """The tree of a page; malformed nesting, and every element and attribute that is not ours, is refused."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.texts, self.cells, self.policy, self.style, self.ids = [], [], [], None, "", []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag, attributes):
        assert tag in ELEMENTS, tag
        assert {name for name, _ in attributes} <= ATTRIBUTES, attributes
        found = dict(attributes)
        assert len(found) == len(attributes)
        if found.get("http-equiv"):
            self.policy = found["content"]
        assert found.get("fill", "none").startswith(("none", "url(#hatch-"))
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append((tag, found))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        assert self.open.pop()[0] == tag

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, _ = self.open[-1] if self.open else ("", {})
        if tag == "style":
            self.style += data
        elif data.strip():
            self.texts.append((tag, data.strip()))

    def unknown_decl(self, data):
        raise AssertionError(data)

    handle_pi = handle_comment = unknown_decl

    def all(self, tag):
        return [text for each, text in self.texts if each == tag]


class TestHtml(RendererContract):
    @pytest.fixture
    def renderer(self):
        return HtmlRenderer()

    def parse(self, text):
        return Page(text)

    def succeeds(self, text):
        page = Page(text)
        verdict = page.all("title")[0].partition(":")[0]
        assert verdict in page.all("h1")
        return verdict in ("VERIFIED", "SAME")


def drawn(found, **seen):
    renderer = HtmlRenderer()
    pieces = (
        renderer.report(found, Seen(**seen)) if isinstance(found, Report) else renderer.difference(found, Seen(**seen))
    )
    return "".join(pieces)


def difference(changes, **more):
    told = {"same_content": None, "measured": True, "bytes_changed": 0, "bytes_total": 100} | more
    return Difference(before="a", after="b", changes=tuple(changes), **told)


def model(tensors, *files):
    leaves = [
        Leaf(Kind.TENSOR, name, size, bytes([mark]) * 32, dtype="U8", shape=(size,)) for name, size, mark in tensors
    ]
    weights = safetensors_entry("model.safetensors", Leaf(Kind.ST_HEADER, "", 8, bytes(32)), leaves)
    return Manifest.of([weights, *(file_entry(name, size, bytes([mark]) * 32) for name, size, mark in files)])


def differing(before, after):
    return drawn(difference(changes_between(before, after)), before=before, after=after)


def grid(text):
    """Return the tables of layers: what is told of each layer and module that is there."""
    found = {}
    for name, table in re.findall(r'aria-label="Layers of ([^"]*)">\s*<table class="grid">(.*?)</table>', text, re.S):
        modules = re.findall(r'<th scope="col"><span>(.*?)</span>', table)
        for layer, cells in re.findall(r'<tr><th scope="row">(\d+)</th>(.*?)</tr>', table):
            told = re.findall(r'<td class="(\w+)"', cells)
            assert len(told) == len(modules)
            found |= {(name, int(layer), module): kind for module, kind in zip(modules, told, strict=True)}
    return found


def test_the_policy_names_the_style_and_allows_nothing_else():
    text = drawn(difference([]))
    page = Page(text)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert page.policy == expected
    assert text.startswith("<!DOCTYPE html>\n")
    assert not re.search(r"\b(src|href|srcset|style|on\w+)\s*=", text.partition("</style>")[2])
    assert not re.search(r"https?:|//|@import|url\((?!#)", text.replace("</", "").replace("<!DOCTYPE", ""))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("encoder.layer.3.attention.self.query.weight", ("encoder.layer", 3, "attention.self.query", "weight")),
        ("bert.encoder.layer.11.output.LayerNorm.bias", ("bert.encoder.layer", 11, "output.LayerNorm", "bias")),
        ("model.layers.31.self_attn.q_proj.weight", ("model.layers", 31, "self_attn.q_proj", "weight")),
        ("model.layers.0.mlp.experts.63.w1.weight", ("model.layers", 0, "mlp.experts.*.w1", "weight")),
        ("model.embed_tokens.weight", ("model", None, "embed_tokens", "weight")),
        ("lm_head.weight", ("lm_head", None, "", "weight")),
        ("transformer.h.7.attn.c_attn.bias", ("transformer.h", 7, "attn.c_attn", "bias")),
        ("encoder.block.2.layer.0.SelfAttention.q.weight", ("encoder.block", 2, "layer.*.SelfAttention.q", "weight")),
        ("down_blocks.1.resnets.0.conv1.weight", ("down_blocks", 1, "resnets.*.conv1", "weight")),
        ("layer1.0.conv1.weight", ("layer1", 0, "conv1", "weight")),
        (
            "bert/encoder/layer_4/attention/self/query/kernel",
            ("bert.encoder.layer", 4, "attention.self.query", "kernel"),
        ),
        (
            "0.auto_model.encoder.layer.5.output.dense.weight",
            ("0.auto_model.encoder.layer", 5, "output.dense", "weight"),
        ),
        ("conv1.weight", ("conv1", None, "", "weight")),
        ("weight", ("weight", None, "", "")),
        ("", ("", None, "", "")),
        ("a.1234567.b", ("a", None, "1234567", "b")),
        ("a.\u0663.b", ("a", None, "\u0663", "b")),
    ],
)
def test_names_of_tensors_say_where_they_belong(name, place):
    assert place_of(name) == place


def test_the_grid_names_the_layers_that_differ():
    names = [f"encoder.layer.{layer}.{module}.weight" for layer in range(4) for module in ("attention", "mlp")]
    before = model([(name, 50, 1) for name in [*names, "embeddings.weight"]], ("config.json", 9, 1))
    changed = {"encoder.layer.2.mlp.weight"}
    after = model(
        [(name, 50, 2 if name in changed else 1) for name in [*names, "embeddings.weight"]], ("config.json", 9, 1)
    )
    text = differing(before, after)
    found = grid(text)
    assert len(found) == 8
    assert {key for key, kind in found.items() if kind != "same"} == {("encoder.layer", 2, "mlp")}
    assert "Layer 2 differs; layers 0–1, 3 the same." in text  # noqa: RUF001  # a range


def test_every_kind_of_status_is_drawn_where_it_belongs():
    before = model(
        [("h.0.a.w", 40, 1), ("h.0.b.w", 40, 2), ("h.1.a.w", 40, 3)], ("gone", 30, 4), ("old", 30, 5), ("x", 9, 9)
    )
    after = model(
        [("h.0.a.w", 40, 2), ("h.0.b.w", 40, 1), ("h.2.a.w", 40, 7)], ("came", 30, 6), ("new", 30, 5), ("x", 9, 9)
    )
    text = differing(before, after)
    found = {(layer, module): kind for (_, layer, module), kind in grid(text).items()}
    assert [found[0, name] for name in "ab"] == ["changed", "changed"]
    assert [found[1, name] for name in "ab"] == ["removed", "none"]
    assert [found[2, name] for name in "ab"] == ["added", "none"]
    titles = dict(re.findall(r'<g><title>([^<]*)</title><rect class="(\w+)"', text))
    assert titles["gone: 30 bytes, removed"] == "removed"
    assert titles["came: 30 bytes, added"] == "added"
    assert titles["new: 30 bytes, moved"] == "moved"
    assert titles["x: 9 bytes, same"] == "same"
    assert not any(title.startswith("old:") for title in titles)
    assert titles["model.safetensors: h.0.b.w: 40 bytes, changed"] == "changed"


def test_rectangles_tile_without_overlap_and_show_text_where_there_is_room():
    sizes = [2**at for at in range(24)]
    tensors = [(f"h.{at}.m{at % 3}.w", size, 1) for at, size in enumerate(sizes)]
    text = differing(model(tensors, ("f", 3, 1)), model(tensors, ("f", 3, 2)))
    pattern = r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*/>(<text)?'
    boxes = [(kind, *map(float, place), bool(named)) for kind, *place, named in re.findall(pattern, text)]
    leaves = [box for box in boxes if box[0] != "group"]
    assert len(leaves) > 8
    assert any(kind == "changed" for kind, *_ in leaves), "what differs is drawn however small it is"
    for _, x, y, width, height, named in boxes:
        assert 0 <= x <= x + width <= 1200.1
        assert 0 <= y <= y + height <= 640.1
        assert not named or (width > 70 and height > 14)
    for at, (_, x, y, width, height, _) in enumerate(leaves):
        for _, left, top, across, down, _ in leaves[at + 1 :]:
            apart = (
                left >= x + width - 0.2 or x >= left + across - 0.2 or top >= y + height - 0.2 or y >= top + down - 0.2
            )
            assert apart
    assert any(named for *_, named in leaves)


def test_a_strip_marks_where_rows_differ():
    listed = (
        RowChange(kind=RowKind.CHANGED, before=501, after=501, text_before="<b>", text_after='"x"'),
        RowChange(kind=RowKind.REMOVED, before=1000),
        RowChange(kind=RowKind.ADDED, after=1),
    )
    rows = RowChanges(
        rows_before=1000, rows_after=1000, changed=1, added=1, removed=90, moved=0, header=False, listed=listed
    )
    facts = Facts(size=10, digest="ab", records=1000)
    change = Change(kind=ChangeKind.CHANGED, name="rows.jsonl", of=Kind.RECORDS, before=facts, after=facts, rows=rows)
    text = drawn(difference([change]))
    strip = re.search(r'<svg class="strip".*?</svg>', text, re.S)[0]
    marks = {
        (kind, float(x), int(y))
        for kind, x, y in re.findall(r'class="(\w+)" x="([\d.]+)" y="(\d+)" width="2.5"', strip)
    }
    assert marks == {("changed", 500.0, 0), ("changed", 500.0, 20), ("removed", 997.5, 0), ("added", 0.0, 20)}
    assert "marked are the 3 that are named" in text
    assert "and 89 more" in text
    assert {"<b>", '"x"'} <= set(Page(text).all("code"))


def report(**more):
    content = Check(kind=CheckKind.CONTENT, name="content", outcome=Outcome.PASS, summary="all is there")
    told = {"content_only": False, "checks": (content,), "scope": Scope(files=2, tensors=0, bytes=9)} | more
    return Report(name="it", fingerprint="ab" * 32, root="cd" * 32, suite="mltrust-1", **told)


def test_who_vouches_and_since_when_and_what_was_not_checked():
    anchor = Check(
        kind=CheckKind.ANCHOR, name="ledger:x", outcome=Outcome.PASS, summary="entry 1", state=AnchorState.VERIFIED,
        time={"not_after": "2026-01-02T03:04:05Z"}, level="own-ledger", stronger="a witness", evidence=("one\n<two>",),
    )  # fmt: skip
    away = Check(kind=CheckKind.ANCHOR, name="far", outcome=Outcome.UNCHECKED, summary="out of reach")
    scope = Scope(
        files=5,
        tensors=0,
        bytes=9,
        files_not_reread=3,
        bytes_not_reread=7,
        pointers=1,
        bytes_not_here=77,
        left_out=(".git",),
    )
    found = report(scope=scope, checks=(*report().checks, anchor, away))
    page = Page(drawn(found))
    headings = page.all("h2")
    assert headings == ["What changed", "Who vouches, and since when", "What was not checked", "Environment"]
    assert "2026-01-02T03:04:05Z" in page.all("code")
    assert page.all("pre") == ["one\n<two>"]
    told = " ".join(page.all("li"))
    for what in ("3 files (7 bytes) were not read again", "77 bytes of 1 file", ".git", "anchor, far: out of reach"):
        assert what in told
    alone = Page(drawn(report(content_only=True)))
    assert any("Nobody was asked to vouch" in text for text in alone.all("p"))


def test_what_was_not_compared_is_not_drawn_as_the_same():
    """A content check that decided nothing says of no file that it is the same."""
    unread = Check(kind=CheckKind.CONTENT, name="content", outcome=Outcome.UNCHECKED, summary="not read")
    sealed = model([("h.0.a.w", 40, 1)], ("x", 9, 9))
    assert 'class="same"' in drawn(report(), before=sealed, after=sealed)
    assert 'class="same"' not in drawn(report(checks=(unread,)), before=sealed, after=sealed)
    pointers = tuple(
        Change(kind=ChangeKind.POINTER, name=name, of=Kind.FILE, before=Facts(size=40, digest="ab"))
        for name in ("model.safetensors", "other.safetensors")
    )
    text = drawn(report(checks=(unread,), changes=pointers), before=sealed, after=sealed)
    assert 'class="same"' not in text
    assert 'class="absent"' in text


def test_a_map_of_one_rectangle_is_not_drawn():
    """It would fill the page and say nothing; the differences are listed all the same."""
    change = Change(kind=ChangeKind.CHANGED, name="rows.jsonl", of=Kind.FILE, before=Facts(size=40, digest="ab"))
    one, two = (Manifest.of([file_entry(name, 50, bytes(32)) for name in names]) for names in (["rows.jsonl"], "ab"))
    assert 'class="map"' not in drawn(difference([change]), before=one, after=one)
    assert "rows.jsonl" in Page(drawn(difference([change]), before=one, after=one)).all("code")
    assert 'class="map"' in drawn(difference([]), before=two, after=two)


def test_bundles_of_others_have_no_sizes_and_no_manifest():
    change = Change(kind=ChangeKind.CHANGED, name="w.bin", of=Kind.FILE, before=Facts(size=None, digest="ab"))
    text = drawn(report(changes=(change,), checks=(report().checks[0].model_copy(update={"outcome": Outcome.FAIL}),)))
    assert "w.bin" in Page(text).all("code")
    assert "<svg" not in text
    after = Manifest.of([file_entry("w.bin", 50, bytes(32)), file_entry("other", 50, bytes(32))])
    assert "w.bin: 50 bytes, changed" in drawn(difference([change]), after=after)


def many_files(number):
    builder = ManifestBuilder()
    names = [f"data/{at:07}.bin" for at in range(number)]
    builder.add_files(names, [at % 977 for at in range(number)], [at.to_bytes(32, "big") for at in range(number)])
    return builder.build()


@pytest.mark.usefixtures("unmeasured")
def test_a_page_is_small_however_much_there_is(memory_below):
    facts = Facts(size=9, digest="ab" * 32)
    changes = [
        Change(kind=ChangeKind.CHANGED, name=f"data/{at:07}.bin", of=Kind.FILE, before=facts, after=facts)
        for at in range(0, 60_000, 3)
    ]
    files = many_files(60_000)
    found = difference(changes)
    with memory_below(100 * 2**20):
        text = drawn(found, before=files, after=files)
    assert len(text) < 2**20
    assert "and 19,500 more differences" in text
    names = [f"m{at}.x.{at}.y{at}." + "\u202e" * 800 for at in range(20_000)]  # shown, each character is six
    manifest = model([(name, 10, 1) for name in names])
    parts = [Change(kind=ChangeKind.CHANGED, name=name, of=Kind.TENSOR, before=facts, after=facts) for name in names]
    of_all = Change(kind=ChangeKind.CHANGED, name="model.safetensors", of=Kind.SAFETENSORS, parts=tuple(parts))
    text = drawn(difference([of_all]), before=manifest, after=manifest)
    assert len(text) < 2 * 2**20
    assert "and 19,800 more parts of this file" in text
    assert re.search(r"And [\d,]+ more stacks of layers, of which [\d,]+ differ", text)


def test_what_is_one_by_one_too_much_is_counted(monkeypatch):
    monkeypatch.setattr("mltrust.renderers.html.census.MAX_WALKED", 100)
    files = many_files(1000)
    text = drawn(difference([]), before=files, after=files)
    assert "900 are drawn as one" in text
    assert "900 not drawn by name" in text


def test_without_its_libraries_it_says_what_to_install_before_anything_is_read():
    for library in ("jinja2", "squarify"):
        code = f"""
import sys
sys.modules[{library!r}] = None
from mltrust.errors import UsageError
from mltrust.renderers.html import HtmlRenderer
try:
    HtmlRenderer()
except UsageError as error:
    print(error, error.hint)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == f"the format html needs the library {library} Install it: pip install 'mltrust[html]'\n"


def test_the_libraries_are_loaded_when_a_page_is_made_and_not_before():
    code = "import sys, mltrust.renderers.html; print({'jinja2', 'squarify'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_colours_have_contrast_in_both_modes():
    """Every ink stands out from its ground by at least 4.5 to 1 (WCAG 2.2, 1.4.3); lines and fills differ pairwise."""
    style = Page(drawn(difference([]))).style
    for block in re.findall(r":root \{(.*?)\}", style, re.S):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        pairs = [
            (ink, ground) for ink in ("ink", "soft", "good", "bad", "open", "other") for ground in ("paper", "panel")
        ]
        pairs += [
            (f"{kind}-ink", f"{kind}-fill") for kind in ("same", "changed", "removed", "added", "moved", "absent")
        ]
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert style.count(":root {") == 2


def contrast(one, two):
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


def test_headings_go_down_one_step_at_a_time():
    text = drawn(report())
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
