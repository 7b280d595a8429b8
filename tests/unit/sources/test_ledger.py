from __future__ import annotations

from pathlib import Path

import pytest

from processors.errors import Unavailable
from processors.sources.ledger import Ledger


def test_entries_outlive_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new", "a")
    ledger.put([("p/1", "x"), ("p/2", "y"), ("q", "z")])
    ledger.put([("p/2", "w")])
    ledger.close()
    ledger = Ledger(tmp_path / "new", "a")
    assert list(ledger.scan("p/")) == [("p/1", "x"), ("p/2", "w")]
    ledger.remove(["p/1", "none"])
    assert (ledger.get("p/1"), ledger.get("q")) == (None, "z")
    ledger.forget_older("p/", -10)
    assert list(ledger.scan("")) == [("q", "z")]
    ledger.close()


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "a")
    with pytest.raises(Unavailable, match="is another one running"):
        Ledger(tmp_path, "a")
    Ledger(tmp_path, "b").close()
    ledger.close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        Ledger(tmp_path / "file", "a")
