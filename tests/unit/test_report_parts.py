"""What reports are made of: words in two languages, figures that may be absent, folders in one piece."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import folders
from ledger.domain.errors import BadInput, FileNotWritten
from projections.reports import figures, render
from projections.reports.words import languages, words_in

ENGLISH = words_in("en")


def test_all_languages_say_the_same_things() -> None:
    """A key that one table lacks would end a report half way; a lost name would drop a number."""
    assert languages() == ("en", "zh")
    for language in languages():
        table = words_in(language).table
        assert table.keys() == ENGLISH.table.keys()
        for key, text in table.items():
            assert text.strip(), key
            assert _names(text) == _names(ENGLISH.table[key]), f"{language}: {key}"


def _names(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)", text))


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(BadInput, match=r"no language 'fr'") as told:
        words_in("fr")
    assert told.value.exit_code == 2
    assert told.value.hint == "--lang en|zh"
    with pytest.raises(BadInput, match=r"Did you mean 'zh'"):
        words_in("zh_")


def test_a_figure_is_a_number_or_a_reason() -> None:
    """I8: what can't be derived is absent, and says why; it is never nought."""
    nothing = figures.mean([], "no_samples", metric="ece")
    assert nothing.text(ENGLISH) == "— (no samples of ece)"
    assert nothing.cell() == ""
    assert nothing.as_json(ENGLISH) == {
        "value": None, "absent": "no_samples", "reason": "no samples of ece",
    }  # fmt: skip
    assert nothing.reason(words_in("zh")) == "没有 ece 的样本"
    assert figures.ratio(0, 0, "no_data").value is None
    assert figures.quantile([], 99, "no_data").value is None


def test_figures_are_exact() -> None:
    """A mean of decimal text is not rounded by binary fractions on the way."""
    assert figures.mean([Decimal("0.1"), Decimal("0.2")], "no_data").cell() == "0.15"
    assert figures.mean([Decimal(1), Decimal(1), Decimal(0)], "no_data").cell() == "0.666666666667"
    assert figures.ratio(5, 5, "no_data").text(ENGLISH) == "100 %"
    ranked = [Decimal(n) for n in range(1, 101)]
    assert [figures.quantile(ranked, p, "no_data").cell() for p in (50, 95, 99)] == [
        "50", "95", "99",
    ]  # fmt: skip
    assert figures.quantile([Decimal(7)], 99, "no_data", "ms").text(ENGLISH) == "7 ms"
    assert figures.of("1.50E+3").cell() == "1500"
    assert figures.of("0.5800").as_json(ENGLISH) == {"value": "0.58"}
    assert [figures.finite(text) for text in ("NaN", "+Inf", "-Inf")] == [None, None, None]


def test_what_people_wrote_breaks_no_table() -> None:
    assert render.markdown("a|b\n<script>`x`") == "a\\|b &lt;script>'x'"
    assert render.markdown("![p](http://x/p.png)") == "![p]\\(http://x/p.png)"
    assert render.moment("2025-10-22T04:27:00.000000Z") == "2025-10-22 04:27:00Z"
    assert render.csv_bytes(["a", "b"], [["x,y", None]]) == b'a,b\n"x,y",\n'


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """An unwritable file in the middle leaves nothing under the name, and nothing beside it."""
    out = tmp_path / "reports" / "one"
    with _files_of_at_most(1000), pytest.raises(FileNotWritten, match="file too large"):
        folders.write_folder(out, {"a.txt": b"a", "b.txt": b"b" * 2000})
    assert list((tmp_path / "reports").iterdir()) == []
    folders.write_folder(out, {"a.txt": b"a", "deep/b.txt": b"b"})
    assert (out / "deep/b.txt").read_bytes() == b"b"
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["one"]


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_is_replaced_only_when_asked_and_only_a_report(tmp_path: Path) -> None:
    """`--out ~ --replace` must not cost anybody their home."""
    out = tmp_path / "out"
    folders.write_folder(out, {"a": b"1", "b": b"1"})
    with pytest.raises(BadInput, match="is there already"):
        folders.write_folder(out, {"a": b"2", "b": b"2"})
    folders.write_folder(out, {"a": b"2", "b": b"2"}, replace=True)
    assert (out / "a").read_bytes() == b"2"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds notes\.txt"):
        folders.write_folder(out, {"a": b"3", "b": b"3"}, replace=True)
    assert (out / "a").read_bytes() == b"2"
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is no folder"):
        folders.write_folder(tmp_path / "file", {"a": b""}, replace=True)
    (tmp_path / "empty").mkdir()
    folders.write_folder(tmp_path / "empty", {"a": b"1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "out"]


@pytest.mark.parametrize("name", ["**", "[a]", "a*"])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """Its name is no pattern: neither refused, nor taken for the names of others."""
    theirs = tmp_path / ".abc.0011.rollout-tmp"
    theirs.mkdir()
    folders.write_folder(tmp_path / name, {"a": b"1"})
    assert theirs.exists()
    assert (tmp_path / name / "a").read_bytes() == b"1"


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    """And what another writer is at work on stays."""
    left = tmp_path / ".out.0011.rollout-tmp"
    left.mkdir()
    (left / "a").write_text("half")
    with folders.staged_folder(tmp_path / "out") as first:
        (first / "a").write_text("1")
        assert not left.exists()
        folders.write_folder(tmp_path / "out", {"a": b"2"})
        assert first.exists()
        (tmp_path / "out" / "a").unlink()
    assert (tmp_path / "out" / "a").read_text() == "1"
