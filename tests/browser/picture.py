"""Make the picture of docs/how-to/html-report.md: python tests/browser/picture.py PAGE.html PICTURE.png.

PAGE.html is the page that the commands there write. The picture ends below the map.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where PYTHONSAFEPATH is set, it is not there

import chromium  # only now can it be found

WIDTH, MARGIN = 1040, 24
BOTTOM = "document.querySelector('svg.map').getBoundingClientRect().bottom + scrollY"


def main(page, picture):
    binary = chromium.find()
    if binary is None:
        sys.exit("no browser: install chromium, or run npm install in tests/node")
    with chromium.running(binary) as browser, browser.page(Path(page).resolve(), width=WIDTH) as opened:
        box = {"x": 0, "y": 0, "width": WIDTH, "height": round(opened.ask(BOTTOM)) + MARGIN}
        Path(picture).write_bytes(opened.picture(box))


main(*sys.argv[1:])
