"""Reading a labels file: every wrong row is named, nothing is guessed."""

from pathlib import Path

import pytest

from unmask.pipeline.errors import UsageError
from unmask.stream.labels import LabelledFile, read_labels, spread


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column named path or label"),
        ("path,label\n", "lists no file"),
        ("path,truth\na.mp4,fake\n", "no column named label"),
        ("path,label\na.mp4,maybe\n", "line 2: the label must be real or fake, not maybe"),
        ("path,label\na.mp4,\n", "line 2: the label must be real or fake, not empty"),
        ("path,label\na.mp4\n", "line 2: the label must be real or fake, not empty"),
        ("path,label\n,fake\n", "line 2: the path is empty"),
        ("path,label\na.mp4,fake\na.mp4,real\n", "line 3: a.mp4 is listed twice"),
        ("path,label\na.mp4,fake,more\n", "line 2: more fields than columns"),
        ('path,label\n"a.mp4,fake\n', "unexpected end of data"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """The message names the line and what is wrong with it."""
    with pytest.raises(UsageError, match=said):
        read_labels(written(tmp_path, text))


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    """No labels, no evaluation."""
    with pytest.raises(UsageError, match="cannot read"):
        read_labels(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match="not a text file"):
        read_labels(tmp_path / "binary.csv")


def test_two_columns_are_enough(tmp_path: Path) -> None:
    """A file without a group is a group of its own; paths are relative to the CSV."""
    (row,) = read_labels(written(tmp_path, "path,label\nsub/a.mp4,Fake\n"))

    assert row == LabelledFile("sub/a.mp4", tmp_path / "sub/a.mp4", fake=True, group="sub/a.mp4")


def test_further_columns_are_used_and_unknown_ones_ignored(tmp_path: Path) -> None:
    """A byte order mark, spaces and extra columns do no harm."""
    text = "\ufefflabel,path,kind,method,dataset,group,fps\nreal, b.jpg ,Image,none,Set A,p1,\n"
    (row,) = read_labels(written(tmp_path, text))

    assert (row.path, row.fake, row.kind, row.method, row.dataset, row.group) == (
        "b.jpg",
        False,
        "image",
        "none",
        "Set A",
        "p1",
    )


def test_a_limit_spreads_over_the_list() -> None:
    """The first files alone would often be of one class."""
    rows = [LabelledFile(str(index), Path(), fake=index >= 5) for index in range(10)]

    assert spread(rows, None) == rows
    assert spread(rows, 20) == rows
    assert [row.path for row in spread(rows, 4)] == ["0", "2", "5", "7"]
