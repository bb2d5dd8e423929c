"""`mltrust verify --expect`: published digests as a check of their own, which vouches for nothing."""

import hashlib
import json

import pytest

SAMPLE = [{"text": "a", "label": 0}, {"text": "b", "label": 1}]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def dataset(tmp_path, mltrust):
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "README.md").write_text("# tiny\n")
    (folder / "train" / "part-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SAMPLE))
    (folder / "labels.bin").write_bytes(bytes(range(256)) * 2000)
    assert mltrust("seal", folder, "--no-anchor").code == 0
    return folder


def croissant_1_0(folder):
    """Return a Croissant 1.0 description with a context as the specification has it, and the Hub's own first entry."""
    files = ["train/part-0.jsonl", "labels.bin"]
    base = "https://huggingface.co/datasets/acme/tiny"
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path.rpartition("/")[2],
            "contentUrl": f"{base}/resolve/main/{path}?download=true",
            "containedIn": {"@id": "repo"},
            "contentSize": f"{(folder / path).stat().st_size} B",
            "encodingFormat": "application/jsonlines",
            "sha256": sha256((folder / path).read_bytes()),
        }
        for path in files
    ]
    repository = {
        "@type": "cr:FileObject",
        "@id": "repo",
        "name": "repo",
        "description": "The Hugging Face git repository.",
        "contentUrl": f"{base}/tree/refs%2Fconvert%2Fparquet",
        "encodingFormat": "git+https",
        "sha256": "https://github.com/mlcommons/croissant/issues/80",
    }
    parts = {
        "@type": "cr:FileSet",
        "@id": "parts",
        "containedIn": {"@id": "repo"},
        "encodingFormat": "application/jsonlines",
        "includes": "train/*.jsonl",
    }
    field = {
        "@type": "cr:Field",
        "@id": "rows/text",
        "dataType": "sc:Text",
        "source": {"fileSet": {"@id": "parts"}, "extract": {"jsonPath": "$.text"}},
    }
    return {
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "sc": "https://schema.org/",
            "dct": "http://purl.org/dc/terms/",
            "conformsTo": "dct:conformsTo",
            "data": {"@id": "cr:data", "@type": "@json"},
            "recordSet": "cr:recordSet",
        },
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "tiny",
        "license": "https://choosealicense.com/licenses/cc-by-4.0/",
        "url": base,
        "version": "1.0.0",
        "distribution": [repository, *objects, parts],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": [field]}],
    }


def croissant_1_1(folder):
    """Return a Croissant 1.1 description: a live context, several conformances and formats, a relative URL."""
    return {
        "@context": "http://mlcommons.org/croissant/1.1",
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": "tiny",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "labels",
                "name": "labels.bin",
                "contentUrl": "labels.bin",
                "encodingFormat": ["application/octet-stream", "application/x-labels"],
                "sha256": sha256((folder / "labels.bin").read_bytes()),
            }
        ],
    }


def tree(folder):
    """Return what the Hub's API lists of it, the large file in LFS."""
    readme, part, labels = (folder / path for path in ("README.md", "train/part-0.jsonl", "labels.bin"))
    size = labels.stat().st_size
    lfs = {"oid": sha256(labels.read_bytes()), "size": size, "pointerSize": 131}
    small = [
        {"type": "file", "oid": blob(each.read_bytes()), "size": each.stat().st_size, "path": path}
        for each, path in ((readme, "README.md"), (part, "train/part-0.jsonl"))
    ]
    return [
        {"type": "directory", "oid": "a" * 40, "size": 0, "path": "train"},
        *small,
        {"type": "file", "oid": "b" * 40, "size": size, "lfs": lfs, "xetHash": "c" * 64, "path": "labels.bin"},
    ]


def written(folder, name, value):
    path = folder.parent / name
    path.write_text(json.dumps(value))
    return path


def verify(mltrust, folder, *expect, options=("--content-only",)):
    chosen = [part for path in expect for part in ("--expect", path)]
    return mltrust("verify", folder, *chosen, *options)


def test_all_as_published(dataset, mltrust):
    documents = {"old.json": croissant_1_0(dataset), "new.json": croissant_1_1(dataset), "tree.json": tree(dataset)}
    paths = [written(dataset, name, value) for name, value in documents.items()]
    done = verify(mltrust, dataset, *paths)
    assert (done.code, done.err) == (0, "")
    assert "old.json: 2 files as published (2 by SHA-256;" in done.out
    assert "old.json: 1 published file with no usable digest: repo" in done.out
    assert "old.json: 1 file not covered: README.md" in done.out
    assert "tree.json: 3 files as published (1 by SHA-256 and 2 by Git's SHA-1;" in done.out
    found = verify(mltrust, dataset, *paths, options=("--content-only", "--format", "json")).json()
    checks = [check for check in found["checks"] if check["kind"] == "expected"]
    assert [check["outcome"] for check in checks] == ["pass", "unchecked", "unchecked", "pass", "unchecked", "pass"]
    assert checks[0]["names"] == ["train/part-0.jsonl", "labels.bin"]
    assert not any(check["vouches"] for check in checks)


def test_it_does_not_vouch_for_the_seal(dataset, mltrust):
    done = verify(mltrust, dataset, written(dataset, "tree.json", tree(dataset)), options=())
    assert done.code == 3
    assert "nobody you trust" in done.out or "does not know" in done.out or "not in" in done.out


def test_sealed_bytes_other_than_the_published_ones_fail(dataset, mltrust):
    document = written(dataset, "tree.json", tree(dataset))
    (dataset / "labels.bin").write_bytes(b"poisoned")
    assert mltrust("seal", dataset, "--no-anchor").code == 0
    assert verify(mltrust, dataset).code == 0
    done = verify(mltrust, dataset, document)
    assert done.code == 1
    assert "1 file other than published: labels.bin" in done.out


def test_what_is_not_here_is_not_decided(dataset, mltrust):
    document = written(dataset, "tree.json", tree(dataset))
    (dataset / "labels.bin").unlink()
    assert mltrust("seal", dataset, "--no-anchor").code == 0
    done = verify(mltrust, dataset, document)
    assert done.code == 3
    assert "1 published file not here: labels.bin" in done.out


def test_a_placeholder_alone_decides_nothing(dataset, mltrust):
    document = croissant_1_0(dataset)
    document["distribution"] = document["distribution"][:1]
    done = verify(mltrust, dataset, written(dataset, "c.json", document))
    assert done.code == 3
    assert "not one usable digest" in done.out


def test_a_single_file(dataset, mltrust):
    document = written(dataset, "tree.json", [tree(dataset)[2]])
    part = dataset / "train" / "part-0.jsonl"
    assert mltrust("seal", part, "--no-anchor", "--output", dataset.parent / "part.seal.json").code == 0
    done = verify(mltrust, part, document, options=("--content-only", "--seal", dataset.parent / "part.seal.json"))
    assert done.code == 0, done.out
    assert "1 file as published" in done.out


@pytest.mark.parametrize("content", [None, "not json", '{"error": "Repository not found"}', '["\x1b[2J"]'])
def test_what_is_no_such_document(dataset, mltrust, content):
    path = dataset.parent / "doc.json"
    if content is not None:
        path.write_text(content)
    done = verify(mltrust, dataset, path)
    assert done.code == 3
    assert "doc.json" in done.err
    assert "\x1b" not in done.err


def test_from_python(dataset, mltrust):
    document = written(dataset, "tree.json", tree(dataset))
    code = (
        "import sys; from mltrust import Trust, verify\n"
        "report = verify(sys.argv[1], trust=Trust(content_only=True), expect=[sys.argv[2]])\n"
        "print(report.verdict, [check.outcome.value for check in report.checks if check.kind == 'expected'])"
    )
    done = mltrust.python(code, dataset, document)
    assert done.out == "verified ['pass']\n", done.err
