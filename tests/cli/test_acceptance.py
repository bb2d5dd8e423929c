"""What a release must survive, on the real model: every way to change it is found and named."""

import json
import os
import shutil

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_sealed_and_verified(mltrust, real):
    told, data = mltrust("verify", real.folder), mltrust("verify", real.folder, "--format", "json")
    assert told.code == data.code == 0
    assert told.out.startswith("VERIFIED")
    assert "not later than" in told.out
    report = data.json()
    assert report["verdict"] == "verified"
    assert report["changes"] == []
    assert [check["outcome"] for check in report["checks"]] == ["pass"] * 3
    assert report["scope"]["tensors"] == len(real.offsets)
    assert report["scope"]["bytes"] == sum(
        path.stat().st_size for path in real.folder.rglob("*") if path.is_file() and path != real.seal
    )


@pytest.mark.parametrize("which", ["first", "middle", "last", "largest"])
def test_one_flipped_bit_names_the_tensor(refused, real, which):
    names = real.by_offset()
    sizes = {name: end - begin for name, (begin, end) in real.offsets.items()}
    chosen = {
        "first": names[0],
        "middle": names[len(names) // 2],
        "last": names[-1],
        "largest": max(sizes, key=sizes.get),
    }
    name = chosen[which]
    begin, end = real.offsets[name]
    place = {"first": begin, "last": end - 1}.get(which, (begin + end) // 2)
    real.flip(real.weights, real.header_size + place)
    report = refused(real.folder, "changed", "model.safetensors", part=name)
    assert len(report["changes"]) == 1


def test_one_flipped_bit_in_the_padding_of_the_header(refused, real):
    real.flip(real.weights, real.header_size - 1)
    refused(real.folder, "malformed", "model.safetensors")


def test_one_flipped_bit_in_the_length_of_the_header(refused, real):
    real.flip(real.weights, 0)
    refused(real.folder, "malformed", "model.safetensors")


def test_one_flipped_bit_in_the_metadata(refused, real):
    place = real.weights.read_bytes().index(b'"pt"') + 1
    real.flip(real.weights, place)
    refused(real.folder, "header-only", "model.safetensors", part="")


def test_a_header_that_says_the_same_otherwise(refused, real):
    def change(data):
        header = json.loads(data[8 : real.header_size])
        text = json.dumps(dict(reversed(header.items())), separators=(",", ":")).encode()
        return data[:8] + text.ljust(real.header_size - 8) + data[real.header_size :]

    real.rewrite(real.weights, change)
    refused(real.folder, "header-only", "model.safetensors", part="")


def test_a_tensor_renamed_in_the_header(refused, real):
    name = real.by_offset()[-1]
    changed = name[:-1] + "T"
    real.rewrite(real.weights, lambda data: data.replace(f'"{name}"'.encode(), f'"{changed}"'.encode()))
    report = refused(real.folder, "changed", "model.safetensors")
    parts = {part["name"]: part for part in report["changes"][0]["parts"]}
    assert parts[changed]["kind"] == "renamed"
    assert parts[changed]["other"] == name


def test_two_tensors_swapped_in_the_header(mltrust, refused, real):
    shapes = {}
    for name, tensor in json.loads(real.weights.read_bytes()[8 : real.header_size]).items():
        if name != "__metadata__":
            shapes.setdefault((tensor["dtype"], tuple(tensor["shape"])), []).append(name)
    one, two = next(sorted(names)[:2] for names in shapes.values() if len({len(n) for n in names}) < len(names) > 1)
    marks = {one: two, two: one}

    def change(data):
        header = json.loads(data[8 : real.header_size])
        swapped = {marks.get(name, name): value for name, value in header.items()}
        text = json.dumps(swapped, separators=(",", ":")).encode()
        return data[:8] + text.ljust(real.header_size - 8) + data[real.header_size :]

    real.rewrite(real.weights, change)
    report = refused(real.folder, "changed", "model.safetensors")
    swaps = [part for part in report["changes"][0]["parts"] if part["kind"] == "swapped"]
    assert [{part["name"], part["other"]} for part in swaps] == [{one, two}]


def test_a_zeroed_block(refused, real):
    name = max(real.offsets, key=lambda each: real.offsets[each][1] - real.offsets[each][0])
    at = real.header_size + real.offsets[name][0] + 4096

    def change(data):
        data[at : at + 4096] = bytes(4096)

    real.rewrite(real.weights, change)
    refused(real.folder, "changed", "model.safetensors", part=name)


def test_truncated_weights(refused, real):
    real.rewrite(real.weights, lambda data: data[:-1])
    refused(real.folder, "truncated", "model.safetensors")


def test_bytes_appended_to_weights(refused, real):
    real.rewrite(real.weights, lambda data: data + b"\0")
    refused(real.folder, "malformed", "model.safetensors")


def test_truncated_configuration(refused, real):
    real.rewrite(real.folder / "config.json", lambda data: data[:-1])
    refused(real.folder, "truncated", "config.json")


def test_line_ends_converted(refused, real):
    real.rewrite(real.folder / "README.md", lambda data: data.replace(b"\n", b"\r\n"))
    refused(real.folder, "changed", "README.md")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("modeling.py", "import os\n"),
        ("nothing", ""),
        (".hidden", "x"),
        ("a/b/c/d.txt", "x"),
        ("__pycache__/modeling.cpython-311.pyc", "x"),
        ("1_Pooling/.git", "x"),
    ],
)
def test_added(refused, real, name, content):
    (real.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (real.folder / name).write_text(content)
    refused(real.folder, "added", name)


def test_removed(refused, real):
    (real.folder / "config.json").unlink()
    refused(real.folder, "removed", "config.json")


def test_renamed(refused, real):
    real.weights.rename(real.folder / "weights.safetensors")
    report = refused(real.folder, "renamed", "weights.safetensors")
    assert report["changes"][0]["other"] == "model.safetensors"


def test_two_files_swapped(refused, real):
    one, two, aside = real.folder / "config.json", real.folder / "tokenizer_config.json", real.folder / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    report = refused(real.folder, "swapped", "config.json")
    assert report["changes"][0]["other"] == "tokenizer_config.json"
    assert len(report["changes"]) == 1


def test_a_file_becomes_a_folder(mltrust, real):
    (real.folder / "config.json").unlink()
    (real.folder / "config.json").mkdir()
    (real.folder / "config.json/config.json").write_text("{}")
    done = mltrust("verify", real.folder, "--format", "json")
    assert done.code == 1
    kinds = {change["name"]: change["kind"] for change in done.json()["changes"]}
    assert kinds == {"config.json": "removed", "config.json/config.json": "added"}


def test_every_difference_in_one_run(mltrust, real):
    real.flip(real.weights, real.header_size)
    (real.folder / "vocab.txt").unlink(missing_ok=True)
    (real.folder / "README.md").unlink()
    (real.folder / "new").write_text("new")
    done = mltrust("verify", real.folder)
    assert done.code == 1
    for words in ("model.safetensors", real.by_offset()[0], "README.md", "removed", "new", "added"):
        assert words in done.out


def test_elsewhere_later_and_as_hard_links(mltrust, real):
    moved = real.folder.rename(mltrust.cwd / "elsewhere")
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
    shutil.copytree(moved, mltrust.cwd / "links", copy_function=os.link)
    assert mltrust("verify", moved).code == 0
    assert mltrust("verify", "links").code == 0
