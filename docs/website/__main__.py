"""Build the documentation as a site: `python docs/website [--output site]`.

1. Copy the pages to a temporary folder, those of the top of the repository too, and turn links that leave them into
   links to the repository.
2. Take the navigation from `docs/index.md`.
3. Build it strictly with the pinned generator, without a network.
4. Refuse a site with a dead link, or with a page that would load anything from another host.
5. Put it where it belongs.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from navigation import navigation
from pages import PAGES, ROOT, stage
from problems import problems

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def build(folder: Path, *, root: Path = ROOT) -> Path:
    """Build the site of the documentation below `root` inside `folder`, which is empty, and return where it is."""
    stage(root, folder)
    config = folder / "zensical.toml"
    nav = navigation((folder / PAGES / "index.md").read_text(encoding="utf-8"))
    text = (root / "zensical.toml").read_text(encoding="utf-8")
    text = text.replace('docs_dir = "docs"', f'docs_dir = "{PAGES}"\nnav = {nav}', 1)
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(config)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        said = _STYLE.sub("", done.stdout + done.stderr)
        raise SystemExit(said.partition("Traceback (most recent call last)")[0])
    if found := problems(folder / "site"):
        raise SystemExit("\n".join(found))
    return folder / "site"


def main() -> None:
    """Build, and put the result where the command line says."""
    parser = argparse.ArgumentParser(description="Build the documentation as a site.")
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="a folder, which is replaced")
    output = parser.parse_args().output.resolve()
    if output.exists() and not (output / "sitemap.xml").exists():
        parser.error(f"{output} is there, and is no site")
    with tempfile.TemporaryDirectory() as folder:
        site = build(Path(folder))
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(site, output)
    print(f"{output / 'index.html'}")  # noqa: T201  # a script


if __name__ == "__main__":
    main()
