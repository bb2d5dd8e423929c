"""Archives made to be read in two ways, to exhaust memory, or to hide something: none is taken."""

import io
import re
import tarfile

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.errors import FormatError
from mltrust.readers.records import tar as tar_module
from mltrust.readers.records.tar import TarReader
from mltrust.testing.memory_source import MemorySource

END = bytes(1024)


def header(name=b"a.txt", size=0, kind=b"0", **fields):
    """Return a header; `fields` overwrite bytes of it, and the checksum is right unless it is one of them."""
    digits = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" * 3
    block[124:136], block[136:148] = digits, b"00000000000\0"
    block[156:157], block[257:265] = kind, fields.get("magic", b"ustar\x0000")
    block[345 : 345 + len(fields.get("prefix", b""))] = fields.get("prefix", b"")
    block[148:156] = b" " * 8
    block[148:156] = fields.get("checksum", b"%06o\0 " % sum(block))
    return bytes(block)


def member(name=b"a.txt", content=b"", kind=b"0", **fields):
    return header(name, fields.pop("size", len(content)), kind, **fields) + content + bytes(-len(content) % 512)


def pax(kind=b"x", **records):
    lines = b""
    for key, value in records.items():
        body = f" {key.replace('__', '.')}=".encode() + value + b"\n"
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        lines += str(length).encode() + body
    return member(b"PaxHeader", lines, kind)


def read(data):
    source = MemorySource({"a.tar": data})
    [file] = source.files()
    return [name for batch in TarReader().batches(file, source, BLAKE3) for name in batch.names]


GOOD = member(b"a.txt", b"hello")
SIGNED = b"%06o\0 " % (int(header(b"\xc3\xa9.txt")[148:154], 8) - 2 * 256)  # as some old programs add up bytes
LONG = member(b"././@LongLink", b"n" * 200 + b"\0", b"L", magic=b"ustar  \0")

REFUSED = {
    "a name twice": (GOOD + GOOD + END, "twice"),
    "a name twice, once with ./": (GOOD + member(b"./a.txt") + END, "twice"),
    "a key in two places": (GOOD + member(b"b.txt") + member(b"a.jpg") + END, "not in a row"),
    "..": (member(b"../a.txt") + END, "plain relative path"),
    ".. in the middle": (member(b"x/../a.txt") + END, "plain relative path"),
    "an absolute name": (member(b"/etc/passwd") + END, "plain relative path"),
    "an absolute folder": (member(b"/", kind=b"5") + END, "plain relative path"),
    "a name that is empty": (member(b"") + END, "plain relative path"),
    "./ twice": (member(b"././a.txt") + END, "plain relative path"),
    "a folder that says it is a file": (member(b"a/") + END, "plain relative path"),
    ".. in the prefix of ustar": (member(b"a.txt", prefix=b"..") + END, "plain relative path"),
    ".. in a pax header": (pax(path=b"../a.txt") + GOOD + END, "plain relative path"),
    "a pax path that is empty": (pax(path=b"") + GOOD + END, "plain relative path"),
    "NUL in a pax header": (pax(path=b"a\0b") + GOOD + END, "plain relative path"),
    "NUL in a long name": (member(b"x", b"a\0b\0", b"L") + GOOD + END, "plain relative path"),
    "a name that is not UTF-8": (member(b"\xff.txt") + END, "UTF-8"),
    "a surrogate": (pax(path=b"\xed\xa0\x80") + GOOD + END, "UTF-8"),
    "another encoding": (pax(hdrcharset=b"BINARY") + GOOD + END, "encoding"),
    "a hard link": (member(kind=b"1") + END, "hard link"),
    "a symbolic link": (member(kind=b"2") + END, "symbolic link"),
    "a character device": (member(kind=b"3") + END, "device"),
    "a block device": (member(kind=b"4") + END, "device"),
    "a FIFO": (member(kind=b"6") + END, "FIFO"),
    "a sparse file of GNU": (member(kind=b"S") + END, "sparse"),
    "a sparse file in pax": (pax(GNU__sparse__major=b"1") + GOOD + END, "sparse"),
    "an unknown type": (member(kind=b"V") + END, "unknown type"),
    "a folder with content": (member(b"d/", b"x", b"5") + END, "folder with content"),
    "nothing at all": (b"", "cut off"),
    "no end": (GOOD, "cut off"),
    "half an end": (GOOD + bytes(512), "cut off"),
    "a cut in the content": (GOOD[:-300], "cut off"),
    "a cut in the header": (GOOD[:100], "cut off"),
    "something after the end": (GOOD + END + b"x", "after the end"),
    "a member after the end": (GOOD + END + member(b"b.txt") + END, "after the end"),
    "a member after half an end": (GOOD + bytes(512) + member(b"b.txt") + END, "after the end"),
    "a wrong checksum": (member(checksum=b"000001\0 ") + END, "no header"),
    "a signed checksum": (header(b"\xc3\xa9.txt", checksum=SIGNED) + END, "no header"),
    "another magic": (member(magic=b"ustar\x0001") + END, "no header"),
    "a zip": (b"PK\3\4" + bytes(2000), "no header"),
    "a size below zero": (member(size=b"\xff" * 12) + END, "octal"),
    "a size of no digits": (member(size=b" " * 12) + END, "octal"),
    "a size with a sign": (member(size=b"-0000000001\0") + END, "octal"),
    "a size beyond the file": (member(size=2**33 - 1) + END, "more than are left"),
    "a giant size": (member(size=b"\x80" + b"\xff" * 11) + END, "more than are left"),
    "a giant size in pax": (pax(size=b"9" * 15) + GOOD + END, "more than are left"),
    "two sizes": (pax(size=b"0") + GOOD + END, "0 bytes"),
    "a pax size with a sign": (pax(size=b"-5") + GOOD + END, "no size"),
    "a pax size of all members": (pax(b"g", size=b"5") + GOOD + END, "for all members"),
    "a pax path of all members": (pax(b"g", path=b"b.txt") + GOOD + END, "for all members"),
    "a pax bomb": (header(b"x", 2**20 + 1, b"x") + bytes(2**21) + END, "at most 1,048,576"),
    "a global pax bomb": (header(b"x", 2**20 + 1, b"g") + bytes(2**21) + END, "at most 1,048,576"),
    "a long name that is too long": (member(b"x", b"n" * 4097 + b"\0", b"L") + GOOD + END, "at most 4,097"),
    "a pax path that is too long": (pax(path=b"n" * 4097) + GOOD + END, "at most 4096"),
    "two long names": (LONG + LONG + GOOD + END, "two names"),
    "a long name and a pax path": (LONG + pax(path=b"b.txt") + GOOD + END, "two names"),
    "two pax headers": (pax(mtime=b"1") + pax(mtime=b"2") + GOOD + END, "two extended headers"),
    "two pax headers, the first of them empty": (pax() + pax(mtime=b"2") + GOOD + END, "two extended headers"),
    "a long name of nothing": (GOOD + LONG + END, "no member"),
    "a pax header of nothing": (GOOD + pax(path=b"b.txt") + END, "no member"),
    "a pax record twice": (member(b"x", b"9 path=b\n9 path=c\n", b"x") + GOOD + END, "malformed"),
    "a pax record beyond its header": (member(b"x", b"99 path=b\n", b"x") + GOOD + END, "malformed"),
    "a pax record within itself": (member(b"x", b"3 path=b\n", b"x") + GOOD + END, "malformed"),
    "a pax record without an end": (member(b"x", b"8 path=b", b"x") + GOOD + END, "malformed"),
    "a pax length with zeros": (member(b"x", b"009 path=b\n", b"x") + GOOD + END, "malformed"),
    "pax of no records": (member(b"x", bytes(9), b"x") + GOOD + END, "malformed"),
}


def test_the_pieces_are_good_where_nothing_is_wrong():
    assert read(GOOD + LONG + member(b"b") + pax(path=b"c.d") + member(b"b") + END) == ["a", "n" * 200, "c"]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    data, why = REFUSED[name]
    with pytest.raises(FormatError, match=re.escape(why)) as caught:
        read(data)
    assert caught.value.where == "a.tar"
    assert str(caught.value).isascii()


def test_files_of_one_sample_and_samples_are_bounded(monkeypatch):
    monkeypatch.setattr(tar_module, "MAX_FILES", 3)
    monkeypatch.setattr(tar_module, "MAX_SAMPLES", 4)
    assert read(b"".join(member(b"a.%d" % n) for n in range(3)) + END) == ["a"]
    with pytest.raises(FormatError, match="share the key"):
        read(b"".join(member(b"a.%d" % n) for n in range(4)) + END)
    with pytest.raises(FormatError, match="more than 4 samples"):
        read(b"".join(member(b"%d.a" % n) for n in range(5)) + END)


def test_a_large_member_needs_no_memory(memory_below):
    content = bytes(2**27)
    source = MemorySource({"a.tar": GOOD + header(b"b.bin", len(content)) + content + END})
    del content
    [file] = source.files()
    with memory_below(2**24):
        assert sum(sum(batch.sizes) for batch in TarReader().batches(file, source, BLAKE3)) == 5 + 2**27


@pytest.mark.parametrize("links", ["links", "no links"])
def test_through_the_front_door(run_installed, tmp_path, links):
    with tarfile.open(tmp_path / "shard.tar", "w") as opened:
        opened.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
        if links == "links":
            link = tarfile.TarInfo("b.txt")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            opened.addfile(link)
    home = str(tmp_path / "home")
    done = run_installed(tmp_path, "seal", "shard.tar", "--no-anchor", MLTRUST_HOME=home)
    if links == "no links":
        assert done.code == 0, done.err
        return
    assert done.code == 3
    assert "'b.txt' is a symbolic link" in done.err
    assert "--records off" in done.err
    done = run_installed(tmp_path, "seal", "shard.tar", "--no-anchor", "--records", "off", MLTRUST_HOME=home)
    assert done.code == 0, done.err


def test_a_changed_file_of_one_sample_is_named_by_its_proof(run_installed, tmp_path):
    data = b"".join(member(b"%d.txt" % n, b"text %d" % n) for n in range(5)) + END
    (tmp_path / "shard.tar").write_bytes(data)
    home = {"MLTRUST_HOME": str(tmp_path / "home")}
    seal = "shard.tar.seal.json"
    assert run_installed(tmp_path, "seal", "shard.tar", "--no-anchor", **home).code == 0
    made = run_installed(tmp_path, "prove", seal, "--file", "shard.tar", "--record", "3", "-o", "p.json", **home)
    assert made.code == 0, made.err
    checked = run_installed(tmp_path, "check", "p.json", "--content", "shard.tar", **home)
    assert "record 3 (2) of shard.tar" in checked.out
    (tmp_path / "shard.tar").write_bytes(data.replace(b"text 2", b"TEXT 2"))
    done = run_installed(tmp_path, "check", "p.json", "--content", "shard.tar", **home)
    assert done.code == 1, done.out
    assert run_installed(tmp_path, "verify", "shard.tar", "--content-only", **home).code == 1
