"""Any table, in any of the shapes Arrow and Parquet have for it, has the rows that docs/format.md says."""

import io
import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mltrust.core.digest import Suite
from mltrust.readers.records.parquet import ArrowReader, ParquetReader
from mltrust.testing.memory_source import MemorySource

BYTES = Suite("bytes", "bytes", bytearray, bytearray, bytes)  # digests that are the bytes themselves
patient = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

# From docs/format.md: a type is (word, parts, names); values are integers (bits, for floats), bytes, lists, or None.


def u64(number):
    return struct.pack(">Q", number)


def ns(data):
    return u64(len(data)) + data


def encoded_type(kind):
    word, parts, names = kind
    named = zip(names or [""] * len(parts), parts, strict=True)
    return (
        ns(word.encode()) + u64(len(parts)) + b"".join(ns(name.encode()) + encoded_type(part) for name, part in named)
    )


def header(columns):
    return ns(b"mltrust/columns/1") + encoded_type(columns)


def width(word):
    if word.startswith(("int", "uint", "float")):
        return int(word.lstrip("uintfloa")) // 8
    if word.startswith("decimal"):
        return 16 if int(word[8:].partition(",")[0]) <= 38 else 32
    return {"bool": 1, "date": 4, "time(s)": 4, "time(ms)": 4}.get(word, 8)


def encoded(kind, value):  # noqa: PLR0911  # one for each kind of type
    word, parts, _ = kind
    if value is None:
        return b"\x00"
    if word == "struct":
        return b"\x01" + b"".join(map(encoded, parts, value))
    if word == "list":
        return b"\x01" + u64(len(value)) + b"".join(encoded(parts[0], each) for each in value)
    if word == "map":
        pairs = (encoded(part, each) for entry in value for part, each in zip(parts, entry, strict=True))
        return b"\x01" + u64(len(value)) + b"".join(pairs)
    if word in ("string", "binary"):
        return b"\x01" + ns(value)
    if word.startswith("fixed"):
        return b"\x01" + value
    return b"\x01" + (value % 2 ** (8 * width(word))).to_bytes(width(word), "big")


# Types and their values.

UNITS = ("ms", "us", "ns")
LEAVES = [
    *("null", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "date"),
    *("float16", "float32", "float64", "string", "binary", "fixed(1)", "fixed(7)", "time(ms)", "time(us)", "time(ns)"),
    *("decimal(1,0)", "decimal(9,2)", "decimal(38,10)", "decimal(39,39)", "decimal(76,3)"),
    *(f"timestamp({unit}{zone})" for unit in UNITS for zone in ("", ",utc")),
    *(f"duration({unit})" for unit in UNITS),
]
leaves = st.sampled_from(LEAVES).map(lambda word: (word, (), ()))
names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3), min_size=1, max_size=3, unique=True
)


@st.composite
def structs(draw, of):
    found = draw(names)
    return ("struct", tuple(draw(of) for _ in found), tuple(found))


def nested(of):
    keys = st.sampled_from([("string", (), ()), ("int32", (), ())])
    return st.one_of(
        of.map(lambda part: ("list", (part,), ())),
        st.tuples(keys, of).map(lambda parts: ("map", parts, ())),
        structs(of),
    )


kinds = st.recursive(leaves, nested, max_leaves=5)


def whole(kind):  # noqa: PLR0911  # the same
    """Return a strategy for values that are not null."""
    word, parts, _ = kind
    if word == "struct":
        return st.tuples(*map(values, parts))
    if word == "list":
        return st.lists(values(parts[0]), max_size=3)
    if word == "map":
        return st.lists(st.tuples(whole(parts[0]), values(parts[1])), max_size=3)
    if word == "string":
        return st.text(max_size=4).map(str.encode)
    if word == "binary":
        return st.binary(max_size=4)
    if word.startswith("fixed"):
        return st.binary(min_size=int(word[6]), max_size=int(word[6]))
    if word.startswith("decimal"):
        most = 10 ** int(word[8:].partition(",")[0]) - 1
        return st.integers(-most, most)
    if word.startswith("time("):
        return st.integers(0, 86_399_999)
    bits = 1 if word == "bool" else 8 * width(word)
    signed = not word.startswith(("uint", "float", "bool"))
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def values(kind):
    return st.none() if kind[0] == "null" else st.none() | whole(kind)


@st.composite
def tables(draw):
    columns = draw(structs(kinds))
    return columns, draw(st.lists(st.tuples(*map(values, columns[1])), max_size=6))


# The same values in many shapes; `pick` chooses among those at hand.


def array(kind, found, pick):
    word, parts, names_ = kind
    if word == "struct":
        filled = [value or [None] * len(parts) for value in found]
        made = [array(part, [value[at] for value in filled], pick) for at, part in enumerate(parts)]
        return pa.StructArray.from_arrays(made, names_, mask=mask(found))
    if word == "list":
        return listed(parts[0], found, pick)
    if word == "map":
        entries = [entry for value in found for entry in value or []]
        keys, items = (array(part, [entry[at] for entry in entries], pick and first) for at, part in enumerate(parts))
        return pa.MapArray.from_arrays(offsets(found, pa.int32()), keys, items, mask=mask(found))
    return layout(flat(word, found), pick)


def first(choices):
    return choices[0]


def mask(found):
    return pa.array([value is None for value in found], pa.bool_())


def offsets(found, kind):
    ends = [0]
    for value in found:
        ends.append(ends[-1] + len(value or []))
    return pa.array(ends, kind)


def listed(part, found, pick):
    lengths = {len(value) for value in found if value is not None}
    shape = pick(["list", "large", "view", "large view", "fixed", "fixed with nulls"])
    if "fixed" in shape and len(lengths) == 1 and lengths != {0} and (None not in found or "nulls" in shape):
        [length] = lengths
        child = [each for value in found for each in (value or [None] * length)]
        return pa.FixedSizeListArray.from_arrays(array(part, child, pick), length, mask=mask(found))
    child = array(part, [each for value in found for each in value or []], pick)
    kind = pa.int64() if "large" in shape else pa.int32()
    if "view" in shape:
        maker, sizes = (
            pa.LargeListViewArray if "large" in shape else pa.ListViewArray,
            [len(value or []) for value in found],
        )
        return maker.from_arrays(offsets(found, kind)[:-1], pa.array(sizes, kind), child, mask=mask(found))
    maker = pa.LargeListArray if "large" in shape else pa.ListArray
    return maker.from_arrays(offsets(found, kind), child, mask=mask(found))


def flat(word, found):  # noqa: PLR0911  # the same
    name, _, rest = word.rstrip(")").partition("(")
    arguments = rest.split(",")
    if name in ("string", "binary", "null"):
        return pa.array(
            [value.decode() if value is not None and name == "string" else value for value in found],
            getattr(pa, name)(),
        )
    if name == "fixed":
        return pa.array(found, pa.binary(int(rest)))
    if name == "decimal":
        precision, scale = map(int, arguments)
        maker = pa.decimal128 if precision <= 38 else pa.decimal256
        numbers = [
            None if value is None else Decimal((value < 0, tuple(map(int, str(abs(value)))), -scale)) for value in found
        ]
        return pa.array(numbers, maker(precision, scale))
    if name == "bool":
        return pa.array([None if value is None else bool(value) for value in found], pa.bool_())
    if name.startswith(("int", "uint")):
        return pa.array(found, getattr(pa, name)())
    if name.startswith("float"):
        return pa.array(found, getattr(pa, name.replace("float", "uint"))()).view(getattr(pa, name)())
    if name == "date":
        return pa.array(found, pa.int32()).view(pa.date32())
    kinds_ = {
        "time": lambda: pa.time32("ms") if arguments == ["ms"] else pa.time64(arguments[0]),
        "timestamp": lambda: pa.timestamp(arguments[0], "Europe/Paris" if len(arguments) > 1 else None),
        "duration": lambda: pa.duration(arguments[0]),
    }
    kind = kinds_[name]()
    return pa.array(found, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def layout(made, pick):
    kind, shape = made.type, pick(["as it is", "large", "view", "dictionary", "dictionary with null", "runs"])
    if "dictionary" in shape and kind not in (
        pa.null(),
        pa.float16(),
    ):  # pyarrow cannot take dictionaries of halves apart
        return made.dictionary_encode("encode" if "null" in shape else "mask")
    if shape == "runs" and not pa.types.is_null(kind):
        return (
            pa.RunEndEncodedArray.from_arrays(pa.array(range(1, len(made) + 1), pa.int32()), made)
            if len(made)
            else made
        )
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        wider = {"large": pa.large_string(), "view": pa.string_view()}
        if pa.types.is_binary(kind):
            wider = {"large": pa.large_binary(), "view": pa.binary_view()}
        return made.cast(wider.get(shape, kind))
    if shape == "large" and pa.types.is_decimal(kind):
        return made.cast(pa.decimal256(kind.precision, kind.scale))
    if shape == "large" and pa.types.is_date32(kind):
        return made.cast(pa.date64())
    return made


def rows_of(reader, data):
    """Return the rows, with each of which stands its header, and what they are as people see them."""
    path = f"x{reader.endings[0]}"
    source = MemorySource({path: data})
    [file] = source.files()
    batches = list(reader.batches(file, source, BYTES))
    found = [row for batch in batches for row in batch.digests]
    assert [size for batch in batches for size in batch.sizes] == list(map(len, found))
    assert [row.at for row in reader.rows(file, source, range(len(found)))] == list(range(len(found)))
    return next(batch.header for batch in batches), found


def arrow(table, *, file, compression=None, rows=None):
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=file)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def table_of(columns, rows, pick):
    parts = enumerate(columns[1])
    return pa.table([array(part, [row[at] for row in rows], pick) for at, part in parts], names=list(columns[2]))


def picking(data, without=()):
    return lambda choices: data.draw(st.sampled_from([choice for choice in choices if choice not in without]))


@patient
@given(made=tables(), data=st.data())
def test_arrow_in_any_shape_has_the_rows_of_the_specification(made, data):
    columns, rows = made
    file = data.draw(st.booleans())
    pick = picking(data, ("dictionary with null",) if file else ())  # pyarrow cannot write them into one
    table = table_of(columns, rows, pick)
    table.validate(full=True)
    if data.draw(st.booleans()) and rows:
        table = pa.concat_tables([table, table]).slice(1, len(rows))
        rows = [*rows[1:], rows[0]]
    stored = arrow(table, file=file, compression=pick([None, "lz4", "zstd"]), rows=pick([None, 1, 2]))
    assert rows_of(ArrowReader(), stored) == (
        header(columns),
        [b"".join(map(encoded, columns[1], row)) for row in rows],
    )


@patient
@given(made=tables(), data=st.data())
def test_parquet_in_any_shape_has_the_rows_of_the_specification(made, data):
    columns, rows = made
    unwritten = ("dictionary with null", "runs", "view", "large view", "fixed with nulls")  # by every pyarrow
    pick = picking(data, unwritten)
    table = table_of(columns, rows, pick)
    options = {
        "compression": pick(["none", "snappy", "zstd", "gzip"]),
        "use_dictionary": pick([True, False]),
        "row_group_size": pick([1, 2, 100]),
        "data_page_version": pick(["1.0", "2.0"]),
        "data_page_size": pick([512, 2**20]),
        "store_schema": pick([True, False]),
        "write_statistics": pick([True, False]),
    }
    file = parquet(table, **options)
    _, found = got = rows_of(ParquetReader(), file)
    assert found == [b"".join(map(encoded, columns[1], row)) for row in rows]
    assert got[0] == header(without_durations(columns))


def without_durations(kind):
    word, parts, names_ = kind
    return ("int64" if word.startswith("duration") else word, tuple(map(without_durations, parts)), names_)


@patient
@given(kind=kinds, data=st.data())
def test_another_value_is_another_row(kind, data):
    one, other = data.draw(values(kind)), data.draw(values(kind))
    assume(one != other)
    columns = ("struct", (kind,), ("x",))
    table = table_of(columns, [(one,), (other,)], first)
    _, [a, b] = rows_of(ArrowReader(), arrow(table, file=True))
    assert a != b
