"""Select from the Wycheproof vectors: `python make.py FOLDER`, the folder being their `testvectors_v1`.

Of each file, for each flag and each result, the first few vectors with the smallest signatures are kept; of ML-DSA,
whose keys and signatures are large, as few as show every flag with every result, and of the largest what the others do
not show. Vectors with a context are left out: mltrust never uses one. Bytes are rewritten in base64.
"""

import base64
import json
import sys
from pathlib import Path

FILES = {
    "ed25519_test.json": 7,
    "ecdsa_secp256r1_sha256_test.json": 6,
    "ecdsa_secp384r1_sha384_test.json": 5,
    "ecdsa_secp521r1_sha512_test.json": 5,
    "mldsa_44_verify_test.json": 1,
    "mldsa_65_verify_test.json": 1,
    "mldsa_87_verify_test.json": 1,
}
LARGEST = ("mldsa_87_verify_test.json", {"ValidSignature", "MissingReduction", "InvalidHintsEncoding"})
HERE = Path(__file__).parent


def vectors(source: Path):
    for group in json.loads(source.read_text())["testGroups"]:
        for test in group["tests"]:
            left_out = source.name == LARGEST[0] and not LARGEST[1] & set(test["flags"])
            if not left_out and not test.get("ctx"):
                yield group.get("publicKeyDer") or "", group["publicKey"], test


def selected(source: Path, several: int):
    wanted = {}
    ordered = sorted(vectors(source), key=lambda each: (-len(each[2]["flags"]), len(each[2]["sig"]), each[2]["tcId"]))
    for der, raw, test in ordered:
        kinds = [(flag, test["result"]) for flag in test["flags"]]
        if any(wanted.get(kind, 0) < several for kind in kinds):
            for kind in kinds:
                wanted[kind] = wanted.get(kind, 0) + 1
            yield der or raw, test


def main(folder: Path) -> None:
    for name, several in FILES.items():
        kept = [
            {
                "tcId": test["tcId"],
                "comment": test["comment"],
                "flags": test["flags"],
                "result": test["result"],
                **{field: text(value) for field, value in fields(key, test)},
            }
            for key, test in sorted(selected(folder / name, several), key=lambda each: each[1]["tcId"])
        ]
        (HERE / name).write_text(json.dumps({"tests": kept}, indent=0) + "\n")


def fields(key: str, test):
    return ("key", key), ("msg", test["msg"]), ("sig", test["sig"])


def text(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
