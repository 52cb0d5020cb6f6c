"""What the command reads: folders, partitioned data sets, pipes, other delimiters; each gives the report of one file."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from numba.core import config

from boosting_losses._cli.columns import Block, Table
from boosting_losses._cli.files import FileError
from boosting_losses._cli.inputs import opened

from . import command_line
from .command_line import COLUMNS, run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    n = 60
    z = rng.normal(-1.0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    kind = rng.choice(["a b", "c/d", "zé"], n)
    return pd.DataFrame(
        {"y": y, "p": (1 / (1 + np.exp(-z))).round(2).clip(0.01, 0.99), "w": rng.integers(1, 4, n), "kind": kind}
    )


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path.parent / f"{tmp_path.name}-scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert list(scratch.iterdir()) == []


def report(*arguments, columns=COLUMNS, stdin=None):
    return command_line.report(*arguments, *columns, stdin=stdin)


def of_one_file(rows, columns=COLUMNS):
    rows.to_parquet("one.parquet")
    return report("one.parquet", columns=columns)


def check_refused(message, *arguments, stdin=None):
    command_line.check_refused(message, *arguments, *COLUMNS, stdin=stdin)


def check_rows(frame, path, *options):
    """The rows that are read are these; the options are kind, delimiter and decimal point."""
    with opened(Path(path), *options, *[None] * (3 - len(options))) as source:
        rows = Block.joined(list(Table(source, "y", ("p", "w"), None).blocks()))
    assert rows.labels.tolist() == frame["y"].tolist()
    assert [rows.numbers[name].tolist() for name in "pw"] == [frame[name].tolist() for name in "pw"]


def texts(path, *columns, kind=None):
    """Those columns of all rows as texts."""
    with opened(Path(path), kind, None, None) as source:
        joined = Block.joined(list(Table(source, "y", (), None, columns).blocks()))
    return [joined.texts[name].tolist() for name in columns]


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "parquet"])
def test_a_folder_is_its_files_in_their_order(frame, kind):
    names = ("b", "a/z", "a/y", "c")  # not the order in which they are written
    parts = dict(zip(sorted(names), np.array_split(np.arange(len(frame)), 4), strict=True))
    for name in names:
        path = Path("rows", f"{name}.{kind}")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = frame.iloc[parts[name]]
        if kind == "parquet":
            part.to_parquet(path)
        else:
            part.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    for hidden in ("_SUCCESS", "_metadata", ".b.crc", ".git/config", "_temporary/0.csv"):
        path = Path("rows", hidden)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not data")
    check_rows(frame, "rows")


def test_partitions_are_columns(frame):
    dated = frame.assign(date=np.where(np.arange(len(frame)) < 25, "2026-01-01", "2026-01-02"))
    keys = pa.schema([("date", pa.string()), ("w", pa.int64()), ("kind", pa.string())])
    by_key = dated.sort_values(["date", "w", "kind"], kind="stable")
    table = pa.Table.from_pandas(by_key, preserve_index=False)
    ds.write_dataset(
        table, "rows", format="parquet", partitioning=ds.partitioning(keys, flavor="hive"), use_threads=False
    )
    check_rows(by_key, "rows")
    assert texts("rows", "date", "w", "kind") == [by_key[name].astype(str).tolist() for name in ("date", "w", "kind")]
    check_rows(by_key[by_key["date"] == "2026-01-02"], "rows/date=2026-01-02")
    check_refused("date=2026-01-01/w=1/kind=a%20b/part-0.parquet: the column 'kind' must hold numbers, got 'a b'",
                  "rows", "--weight", "kind")  # fmt: skip


def test_a_partition_may_be_the_label(frame):
    by_label = frame.sort_values("y", kind="stable")
    for label in (0, 1):
        folder = Path("rows", f"y={label}")
        folder.mkdir(parents=True)
        by_label[by_label["y"] == label].drop(columns="y").to_csv(folder / "part.csv", index=False)
    assert report("rows") == of_one_file(by_label)
    assert report("rows", "--classes", "0,1")["models"] == of_one_file(by_label)["models"]


def test_a_partition_that_is_missing_or_a_column_too(frame):
    folder = Path("rows", "day=__HIVE_DEFAULT_PARTITION__", "_w=03")
    folder.mkdir(parents=True)
    frame.assign(_w=3, day=None).to_parquet(folder / "0.parquet")
    assert report("rows", "--weight", "_w") == of_one_file(frame.assign(w=3), (*COLUMNS, "--weight", "w"))
    assert texts("rows", "day", "_w") == [["missing"] * len(frame), ["3"] * len(frame)]
    frame.assign(_w=4, day="x").to_parquet(folder / "0.parquet")
    assert report("rows") == of_one_file(frame)
    check_refused("0.parquet: the column '_w' must equal the value in the folder's name, got other values than '03'",
                  "rows", "--weight", "_w")  # fmt: skip
    for column in ("_w", "day"):
        with pytest.raises(FileError, match="the value in the folder's name"):
            texts("rows", column)


def test_parts_may_differ_where_it_does_not_matter(frame):
    """Order and types of columns, columns that are not read, parts without rows."""
    folder = Path("rows")
    folder.mkdir()
    first, second, third = frame[:20], frame[20:40], frame[40:]
    first[["p", "y", "w"]].to_parquet(folder / "0.parquet")
    frame[:0].to_parquet(folder / "1.parquet")
    second[["w", "y", "p", "kind"]].astype({"y": float, "w": float}).to_parquet(folder / "2.parquet")
    pq.write_table(
        pa.table({name: pa.array(third[name]).dictionary_encode() for name in ("kind", "y", "p", "w")}),
        folder / "3.parquet",
    )
    check_rows(frame, "rows")
    assert texts("rows", "y", "w") == [frame[name].astype(str).tolist() for name in ("y", "w")]


def test_csv_parts_without_rows(frame):
    Path("rows").mkdir()
    for name, part in (("0", frame[:0]), ("1", frame[:30]), ("2", frame[:0]), ("3", frame[30:])):
        part.to_csv(f"rows/{name}.csv", index=False)
    check_rows(frame, "rows")
    for name in "13":
        Path(f"rows/{name}.csv").unlink()
    check_refused("rows: the files must contain at least one row, got none", "rows")


def test_folders_that_cannot_be_meant(frame):
    folder = Path("rows")
    folder.mkdir()
    check_refused("Error: rows: the folder must contain .csv, .tsv or .parquet files, got none", "rows")
    (folder / "_SUCCESS").touch()
    (folder / ".x.csv").touch()
    check_refused("rows: the folder must contain .csv, .tsv or .parquet files, got none", "rows")
    frame[:30].to_csv(folder / "0.csv", index=False)
    (folder / "sub").mkdir()
    frame[30:].to_parquet(folder / "sub" / "1.parquet")
    message = (
        r"rows: the files of a folder must have the same extension, got .csv \(0.csv\), .parquet \(sub.1.parquet\)"
    )
    check_refused(message, "rows")
    (folder / "sub" / "1.parquet").rename(folder / "sub" / "1.CSV")
    check_refused("rows.sub.1.CSV: the file must be CSV, got Parquet", "rows")
    (folder / "sub" / "1.CSV").write_text("y,p\n0,0.5\n1,x\n")
    check_refused("rows.sub.1.CSV: the column 'p' must hold numbers, got 'x' in line 3", "rows")
    (folder / "sub" / "1.CSV").write_text("y,p\n0,0.5\n1,\n")
    check_refused("rows.sub.1.CSV: the column 'p' must have no missing values, got one in row 1", "rows")
    (folder / "sub" / "1.CSV").write_text("y,q\n0,0.5\n")
    check_refused("rows.sub.1.CSV: the file must contain the column 'p' exactly once, got y, q", "rows")
    (folder / "sub" / "1.CSV").write_text("y,p\n0,0.5\n0,1.5\n")
    check_refused(r"Error: rows: proba must lie in \[0, 1\], got 1.5 in row 31", "rows")
    (folder / "sub" / "1.CSV").unlink()
    (folder / "data.xlsx").touch()
    check_refused("the same extension, got .csv .0.csv., .xlsx .data.xlsx.", "rows")
    (folder / "0.csv").unlink()
    check_refused("data.xlsx: the file must be .csv, .tsv or .parquet, got .xlsx", "rows")


@pytest.mark.parametrize(("log", "name"), [("_delta_log", "Delta"), (".hoodie", "Hudi")])
def test_old_files_of_a_table_are_not_counted(frame, log, name):
    Path("rows", log).mkdir(parents=True)
    frame.to_parquet("rows/0.parquet")
    check_refused(f"rows: the folder must contain plain files, got a {name} table", "rows")


def test_broken_parquet_among_others(frame):
    Path("rows").mkdir()
    for name in "012":
        frame.to_parquet(f"rows/{name}.parquet")
    whole = Path("rows/1.parquet").read_bytes()
    Path("rows/1.parquet").write_bytes(whole[:-50])
    check_refused("rows.1.parquet: the file must be complete Parquet", "rows")
    Path("rows/1.parquet").write_bytes(b"")
    check_refused("rows.1.parquet: the file must be complete Parquet", "rows")


def test_links(frame):
    Path("rows").mkdir()
    Path("other").mkdir()
    frame.to_csv("other/0.csv", index=False)
    Path("rows/there").symlink_to(Path("other").resolve())
    check_rows(frame, "rows")
    Path("other/back").symlink_to(Path("rows").resolve())
    check_refused("a folder must not contain itself, got a link to", "rows")
    Path("other/back").unlink()
    Path("rows/gone.csv").symlink_to("nowhere.csv")
    check_refused("rows.gone.csv: a folder must contain only files and folders, got something else", "rows")


def test_nothing_is_written_into_the_folder_that_is_read(frame):
    Path("rows/sub").mkdir(parents=True)
    frame.to_csv("rows/0.csv", index=False)
    for output in ("rows/r.html", "rows/0.csv", "rows/sub/r.html"):
        check_refused("an output must not be in the input folder", "rows", "--html", output)
    assert sorted(path.name for path in Path("rows").iterdir()) == ["0.csv", "sub"]


def test_standard_input(frame):
    frame.to_csv("t.csv", index=False)
    frame.to_csv("t.tsv", index=False, sep="\t")
    expected = of_one_file(frame)
    assert report("-", stdin=Path("t.csv").read_bytes()) == expected
    assert report("-", "--format", "tsv", stdin=Path("t.tsv").read_bytes()) == expected
    assert report("-", "--format", "parquet", stdin=Path("one.parquet").read_bytes()) == expected
    check_refused("standard input: the file must be CSV, got Parquet .--format parquet.", "-",
                  stdin=Path("one.parquet").read_bytes())  # fmt: skip
    check_refused("standard input: the file must be complete Parquet", "-", "--format", "parquet", stdin=b"y,p\n")
    check_refused("Error: standard input: the file cannot be read, Empty CSV", "-", stdin=b"")
    check_refused("Error: standard input: the file must contain at least one row, got none", "-", stdin=b"y,p\n")
    check_refused(
        r"Error: standard input: proba must lie in \[0, 1\], got 2.0 in row 1", "-", stdin=b"y,p\n0,0.1\n1,2\n"
    )
    check_refused("Error: standard input: --label, --proba and --weight must name different", "-", "--weight", "p",
                  stdin=b"y,p\n0,0.1\n")  # fmt: skip


def test_a_closed_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with (
        pytest.raises(FileError, match=r"^standard input: the stream must be open, got a closed stream"),
        opened(Path("-"), *[None] * 3),
    ):
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes by name")
def test_pipes_and_a_closed_standard_input(frame, tmp_path):
    wanted = of_one_file(frame)  # leaves its configuration
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(scratch)}

    def call(before, file, after=""):
        options = f"{file} --label y --proba p --config config.yaml --json r.json"
        command = f'{before}"{sys.executable}" -m boosting_losses evaluate {options}{after}'
        result = subprocess.run(command, check=False, shell=True, capture_output=True, text=True, env=environment)
        return result.returncode, result.stderr

    frame.to_csv("t.csv", index=False)
    assert call("", "-", " <&-") == (2, "Error: standard input: the stream must be open, got a closed stream\n")
    for arguments in (("cat t.csv | ", "-"), ("", "-", " < t.csv"), ("cat t.csv | ", "/dev/stdin")):
        assert call(*arguments) == (0, "")
        assert json.loads(Path("r.json").read_text()) == wanted
    assert list(scratch.iterdir()) == []


def test_files_with_odd_endings(frame):
    frame.to_parquet("one.bin")
    frame.to_csv("t.data", index=False)
    frame.to_csv("t", index=False, sep="\t")
    with gzip.open("t.data.gz", "wt", encoding="utf-8") as out:
        frame.to_csv(out, index=False)
    for name, kind in (("one.bin", "parquet"), ("t.data", "csv"), ("t", "tsv"), ("t.data.gz", "csv")):
        check_rows(frame, name, kind)
        check_refused(r"must be .csv, .tsv or .parquet, got (no extension|\.\S+) \(set --format\)", name)
    Path("rows").mkdir()
    frame[:30].to_csv("rows/part-00000", index=False)
    frame[30:].to_csv("rows/part.00001", index=False)
    assert report("rows", "--format", "csv") == of_one_file(frame)
    assert run("t", *COLUMNS, "--format", "xlsx")[0] == 2


@pytest.mark.parametrize(
    ("given", "mark"), [(";", ";"), ("tab", "\t"), ("|", "|"), ("\t", "\t"), ("\x01", "\x01"), (",", ",")]
)
def test_delimiters_and_decimal_commas(frame, given, mark):
    for decimal in ".,":
        soft = frame.astype({"y": float, "w": float})
        soft.to_csv("t.csv", index=False, sep=mark, decimal=decimal, quoting=1)
        check_rows(frame, "t.csv", None, given, decimal)


def test_options_of_csv_reach_the_reader(frame):
    frame.astype({"y": float}).to_csv("t.csv", index=False, sep=";", decimal=",")
    options = ("--delimiter", ";", "--decimal", ",")
    assert report("t.csv", *options) == report("-", *options, stdin=Path("t.csv").read_bytes()) == of_one_file(frame)


def test_csv_of_other_programs(frame):
    """A byte order mark, lines that end as on Windows, quoted delimiters, quotes and lines within values."""
    odd = frame.assign(note='5" of a, b;\r\nc')[["note", "kind", "y", "p", "w"]]
    odd.to_csv("t.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n", quoting=1)
    check_rows(frame, "t.csv")
    assert texts("t.csv", "note", "kind") == [odd["note"].tolist(), odd["kind"].tolist()]
    odd.to_csv("t.csv", index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    check_rows(frame, "t.csv", None, ";")


def test_values_over_lines_and_many_blocks(frame, monkeypatch):
    monkeypatch.setattr("boosting_losses._cli.files.BYTES", 2000)
    frame.assign(note="a\nb" * 20)[["note", "y", "p", "w"]].to_csv("t.csv", index=False)
    check_rows(frame, "t.csv")


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (b"y;p\n0;0,5\n", (), "columns, got 2: 0;0,5 .to change the delimiter: --delimiter ';'"),
        (b"y;p\n0;0.5\n", (), "'y' exactly once, got y;p .to change the delimiter: --delimiter ';'"),
        (b"y\tp\n0\t0.5\n", (), "once, got y p .to change the delimiter: --delimiter tab"),
        (b"y|p\n0|0.5\n", (), "once, got y|p .to change the delimiter: --delimiter '|'"),
        (b"y,p\n0,0.5\n", ("--delimiter", ";"), "once, got y,p .to change the delimiter: --delimiter ','"),
        (b"y;p\n0;0,5\n", ("--delimiter", ";"), "'p' must hold numbers, got '0,5' in line 2 .--decimal ','"),
        (b"y,p\n0,0.5\n", ("--delimiter", ""), "--delimiter must be tab or one character such as ; or |, got ''"),
        (b"y,p\n0,0.5\n", ("--delimiter", "ab"), "--delimiter must be tab or one character such as ; or |, got 'ab'"),
        (b"y,p\n0,0.5\n", ("--delimiter", "p"), "--delimiter must be tab or one character such as ; or |, got 'p'"),
        (b"y,p\n0,0.5\n", ("--delimiter", "é"), "--delimiter must be tab or one character"),
        ("y,p,é\n0,0.5,1\n".encode("latin-1"), (), "the names of the columns must be UTF-8 text, got other bytes"),
        ("y,p\né,0.5\n".encode("latin-1"), (), "the column 'y' must hold UTF-8 text, got other bytes in line 2"),
        (b"y,p,t\n0,0.5," + b"x" * 3_000_000 + b"\n", (), "each line must be shorter than 1 MiB"),
        (b"y,p\n0,0.5\n1," + b"9" * 3_000_000 + b"\n", (), "each line must be shorter than 1 MiB"),
        ("y,p\n0,0.5\né\n".encode("latin-1"), (), "the file cannot be read, .*Expected 2 columns, got 1"),
        (gzip.compress(b"y,p\n0,0.5\n"), (), "the file must be CSV, got gzip .unpack it first"),
        (b'y,p,t\n0,0.5,"a\n' + b"1,0.5,b\n" * 400_000, (), "shorter than 1 MiB, got a longer line or an unclosed quote"),
    ],
    ids=range(17),
)  # fmt: skip
def test_bad_csv(monkeypatch, text, arguments, message):
    monkeypatch.setattr("boosting_losses._cli.files.BYTES", 2**20)
    Path("t.csv").write_bytes(text)
    check_refused("Error: t.csv: .*" + message.replace("|", r"\|"), "t.csv", *arguments)


def test_options_of_csv_are_not_for_parquet(frame):
    frame.to_parquet("t.parquet")
    for option, value in (("--delimiter", ";"), ("--decimal", ",")):
        message = f"{option} must be given for CSV only, got Parquet"
        check_refused("t.parquet: " + message, "t.parquet", option, value)
        check_refused("standard input: " + message, "-", "--format", "parquet", option, value, stdin=b"")


def test_columns_of_any_kind_are_texts():
    moment = pd.Timestamp("2026-01-02 03:04:05.600")
    table = pa.table(
        {
            "y": pa.array([0.0, 1.0, 1.0]),
            "text": ["a", "", None],
            "large": pa.array(["a", "a", "b"], pa.large_string()),
            "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
            "codes": pa.array([7, None, 8], pa.int8()).dictionary_encode(),
            "number": pa.array([1.0, float("nan"), 0.1]),
            "single": pa.array([0.1, None, 2.0], pa.float32()),
            "flag": [True, False, None],
            "day": pa.array([moment.date(), None, moment.date()]),
            "moment": pa.array([moment.normalize(), moment.floor("s"), moment], pa.timestamp("ms")),
            "nothing": pa.nulls(3),
        }
    )
    pq.write_table(table, "t.parquet")
    gone = "missing"
    expected = {
        "y": ["0", "1", "1"],
        "text": ["a", gone, gone],
        "large": ["a", "a", "b"],
        "dictionary": ["a", gone, "b"],
        "codes": ["7", gone, "8"],
        "number": ["1", gone, "0.1"],
        "single": ["0.1", gone, "2"],
        "flag": ["True", "False", gone],
        "day": ["2026-01-02", gone, "2026-01-02"],
        "moment": ["2026-01-02", "2026-01-02 03:04:05", "2026-01-02 03:04:05.600"],
        "nothing": [gone, gone, gone],
    }
    assert dict(zip(expected, texts("t.parquet", *expected), strict=True)) == expected
    pq.write_table(pa.table({"y": [0, 1], "list": [[1], [2]], "bytes": [b"\xff", b"a"]}), "t.parquet")
    for column in ("list", "bytes"):
        with pytest.raises(FileError, match=f"t.parquet: the column '{column}' must hold texts, numbers, booleans"):
            texts("t.parquet", column)


def test_a_column_may_be_a_label_a_number_and_a_text(frame):
    frame.astype({"y": str}).to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    for name in ("t.csv", "t.parquet"):
        with opened(Path(name), None, None, None) as source:
            table = Table(source, "kind", ("y", "w"), ("a b", "c/d", "zé"), ("kind", "w", "y"))
            blocks = list(table.blocks())
        block = Block.joined(blocks)
        codes = frame["kind"].map({"a b": 0, "c/d": 1, "zé": 2})
        assert block.labels.tolist() == codes.tolist()
        assert block.numbers["w"].tolist() == frame["w"].tolist()
        for column in ("kind", "w", "y"):
            assert block.texts[column].tolist() == frame[column].astype(str).tolist()


def test_some_rows_of_a_block_keep_no_others_in_memory():
    block = Block(np.arange(9.0), {"p": np.arange(9.0)}, {"t": np.array(["a", "b", "c"] * 3, dtype=object)})
    some = block.take(slice(1, None, 3))
    assert len(some) == 3
    assert some.texts["t"].tolist() == ["b", "b", "b"]
    for values in (some.labels, some.numbers["p"], some.texts["t"]):
        assert values.base is None
