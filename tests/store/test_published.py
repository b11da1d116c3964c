# SPDX-License-Identifier: GPL-2.0-only
"""Tables of others are read as they are, or refused with the file's name."""

import pytest

from bench.errors import BadInput
from bench.store import published


def test_every_table_that_there_is_can_be_read():
    for path in published.FOLDER.glob("*.csv"):
        found = published.published(path.stem)
        assert found
        assert not found.frame.empty
        assert "Source: " in found.about


def test_sizes_come_as_pages(tmp_path):
    (tmp_path / "x.csv").write_text("# about\ninterface,size,overhead_percent\na,10MB,1\nb,1GB,2.5\n")
    found = published.read(tmp_path / "x.csv")
    assert found.about == "about"
    assert found.frame["pages"].tolist() == [2560, 262144]


@pytest.mark.parametrize("name", ["none", "../published/lkml-2022", "n" * 300, "a\0b", "*"])
def test_a_suite_of_any_name_has_no_table_but_its_own(name):
    assert published.published(name) is None


@pytest.mark.parametrize(
    "text",
    ["", "# only\n", "interface\n", "a,b\n1,2\n", "interface,pages\na,many\n", "interface,pages\na,-1\n",
     "interface,pages\n,1\n", "interface,size\na,10XB\n", "interface,pages\na,1e300\n",
     "interface,kilocycles\na,inf\n", 'interface,pages\n"a,1\n', "interface,pages\na,1,2,3\n",
     f"interface,pages\n{'a' * 300},1\n", "interface,size\na,999999GB\n"],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_name(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(BadInput, match=r"x\.csv: ") as caught:
        published.read(tmp_path / "x.csv")
    assert caught.value.hint
