"""Write what is generated in `docs/`: `python docs/generate` writes `docs/cli.md` and `docs/schemas/*.schema.json`."""

import json
from pathlib import Path

from reference import commands, reference  # noqa: F401  # the tests look at the commands
from schemas import schemas

from mltrust.cli.commands import application  # noqa: F401  # the tests walk over it

DOCS = Path(__file__).parent.parent


def files() -> dict[Path, str]:
    """Return every generated file and what it must hold."""
    found = {DOCS / "cli.md": "\n".join(reference()) + "\n"}
    for name, schema in schemas().items():
        found[DOCS / "schemas" / f"{name}.schema.json"] = json.dumps(schema, indent=2) + "\n"
    return found


def main() -> None:
    """Write every generated file, and remove schemas that are no longer generated."""
    written = files()
    (DOCS / "schemas").mkdir(exist_ok=True)
    for path in (DOCS / "schemas").glob("*.schema.json"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
