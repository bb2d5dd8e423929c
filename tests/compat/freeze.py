"""Freeze what this version of mltrust writes, so that later versions are held to it.

`python tests/compat/freeze.py tests/compat/v1` writes a new folder and refuses one that exists: what was frozen is
never frozen again. A format that changes gets a new folder beside the old ones.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import mltrust

HEADER = {
    "__metadata__": {"format": "pt", "made": "für immer"},
    "embed.weight": {"dtype": "F16", "shape": [4, 4], "data_offsets": [0, 32]},
    "head.weight": {"dtype": "BF16", "shape": [2, 4], "data_offsets": [32, 48]},
    "scale": {"dtype": "F32", "shape": [], "data_offsets": [48, 52]},
    "void": {"dtype": "I64", "shape": [0, 3], "data_offsets": [52, 52]},
}
FILES = {
    "config.json": b'{"layers": 2}\n',
    "empty": b"",
    ".hidden": b"seen\n",
    "tokenizer/merges.txt": "é ü\r\n模 型\n".encode(),
    "data.bin": bytes(range(256)),
}
TENSOR = "head.weight"
WEIGHTS = "model.safetensors"


def weights(shift: int = 0) -> bytes:
    """Return a small safetensors file."""
    header = json.dumps(HEADER, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + bytes((7 * n + shift) % 256 for n in range(52))


def freeze(folder: Path) -> None:
    """Write every case below `folder`."""
    for suite in ("blake3", "sha256"):
        case(folder / f"folder-{suite}", suite, single=False)
        case(folder / f"file-{suite}", suite, single=True)


def case(folder: Path, suite: str, *, single: bool) -> None:
    """Write one case: an artifact sealed twice, the second seal superseding the first, a ledger, proofs."""
    artifact = lay_out(folder, single=single)
    with tempfile.TemporaryDirectory() as temporary:
        home = mltrust.Home(Path(temporary) / "data", Path(temporary) / "state")
        ledger = mltrust.open_anchor(f"ledger:{folder / 'ledger'}", home)
        exclude = () if single else ("runs/",)
        labels = {"license": "mit", "schlüssel": "wért"}
        mltrust.seal(artifact, suite=suite, anchors=[ledger], name="first edition")
        (artifact if single else artifact / WEIGHTS).write_bytes(weights(1))
        done = mltrust.seal(
            artifact, suite=suite, anchors=[ledger], name="zweite/ü", exclude=exclude, annotations=labels
        )
    (folder / "ledger/lock").unlink(missing_ok=True)
    shutil.copy(folder / "ledger/verifier-key", folder / "ledger.vkey")
    proofs = {"weights": (WEIGHTS, None), "tensor": (WEIGHTS, TENSOR), "empty-tensor": (WEIGHTS, "void")}
    if not single:
        proofs |= {"file": ("tokenizer/merges.txt", None), "empty-file": ("empty", None)}
    for name, (file, tensor) in proofs.items():
        proof = mltrust.prove(done.path, file=file, tensor=tensor)
        (folder / f"{name}.proof.json").write_bytes(proof.serialize())
    expected = {
        "artifact": artifact.relative_to(folder).as_posix(),
        "seal": done.path.relative_to(folder).as_posix(),
        "suite": done.predicate.suite,
        "fingerprint": done.predicate.fingerprint().hex(),
        "statement": str(done.bundle.statement.digest()),
        "proofs": {f"{name}.proof.json": [file, tensor] for name, (file, tensor) in proofs.items()},
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8", newline="\n")


def lay_out(folder: Path, *, single: bool) -> Path:
    """Write the artifact of a case."""
    folder.mkdir(parents=True)
    if single:
        (folder / WEIGHTS).write_bytes(weights())
        return folder / WEIGHTS
    for name, data in {**FILES, WEIGHTS: weights(), "runs/log": b"left out\n"}.items():
        (folder / "artifact" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "artifact" / name).write_bytes(data)
    return folder / "artifact"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} is frozen already")
    freeze(target.resolve())
