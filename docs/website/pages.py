"""The pages as the site has them: copies, with links that leave them turned to where they lead for a reader."""

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = "pages"
REPOSITORY = "https://github.com/mltrust/mltrust"
# Pages of the top of the repository, which GitHub shows there, and where the site has them.
TOP = {
    name: f"project/{name.lower()}" for name in ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
}
# Programs that write pages are no pages.
_LEFT_OUT = shutil.ignore_patterns("*.py", "__pycache__", "website", "compare", "generate")

_CODE_OR_TARGET = re.compile(r"^( *)```.*?^\1```\s*$|(`+)[^\n]*?\2|(?<=\]\()<?([^)\s>]+)>?(?=\))", re.M | re.S)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|#")


def stage(root: Path, folder: Path) -> None:
    """Copy the documentation below `root` to `folder / PAGES`, and beside it what the configuration names."""
    docs = folder / PAGES
    shutil.copytree(root / "docs", docs, ignore=_LEFT_OUT)
    shutil.copytree(root / "docs/website/overrides", folder / "docs/website/overrides")
    moved = {(root / name).resolve(): docs / place for name, place in TOP.items() if (root / name).exists()}
    staged = {page: docs / page.relative_to(root.resolve() / "docs") for page in (root / "docs").resolve().rglob("*")}
    staged = {page: copy for page, copy in (staged | moved).items() if copy.exists() or page in moved}
    for page, copy in staged.items():
        if page.suffix == ".md" and page.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(_relinked(page, copy, staged, root.resolve()), encoding="utf-8")


def _relinked(page: Path, copy: Path, staged: dict[Path, Path], root: Path) -> str:
    def turned(found: re.Match[str]) -> str:
        target = found[3]
        if target is None or _ABSOLUTE.match(target):
            return found[0]
        path, mark, heading = target.partition("#")
        return _place((page.parent / path).resolve(), copy, staged, root) + mark + heading

    return _CODE_OR_TARGET.sub(turned, page.read_text(encoding="utf-8"))


def _place(target: Path, copy: Path, staged: dict[Path, Path], root: Path) -> str:
    """Return the link from the staged page `copy` to `target`: to its copy, or to the repository."""
    if target.is_dir() and (target / "README.md") in staged:
        target /= "README.md"  # what GitHub shows of a folder
    if target in staged and target.is_file():
        return os.path.relpath(staged[target], copy.parent).replace(os.sep, "/")
    if not target.exists() or not target.is_relative_to(root):
        return f"missing/{target.name}"  # the strict build names it, with its line
    return f"{REPOSITORY}/{'tree' if target.is_dir() else 'blob'}/main/{target.relative_to(root).as_posix()}"
