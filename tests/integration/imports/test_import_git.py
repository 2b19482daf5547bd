"""Histories of configuration files in git, into a real ledger."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from dulwich.objects import Commit

from ledger.domain.errors import BadInput
from ledger.service.core.session import Ledger
from ledger.service.imports import importing
from ledger.service.imports.importing import Manner
from tests.support.imports import (
    ANN,
    BOT,
    close,
    head,
    import_git,
    of_bot,
    open_ledger,
    register,
    state,
)
from tests.support.pasts import (
    START,
    Repository,
)


def test_a_repository_becomes_its_history(ledger: Ledger, repository: Repository) -> None:
    """I11: author, time and message; a fingerprint for each distinct content, comments apart."""
    day = timedelta(days=1)
    repository.commit({"README": b"x"}, "begin", at=START)
    repository.commit({"config.yaml": b"levels: 3\n"}, "start\n\nwith three", at=START + day)
    repository.commit({"config.yaml": b"# why\nlevels: 3\n"}, "say why", at=START + 2 * day)
    repository.commit({"config.yaml": b"levels: 5\n", "README": b"y"}, "raise", at=START + 3 * day,
                      author=b"renovate[bot] <bot@example.org>")  # fmt: skip
    repository.commit({"config.yaml": b"levels: 5\n"}, "nothing of ours", at=START + 4 * day)
    repository.commit({"config.yaml": b"levels: 3\n"}, "back", at=START + 5 * day)
    done = import_git(ledger, repository, "config.yaml")
    assert (done.records, done.imported, done.skipped) == (4, 4, ())
    assert len(done.notes) == 1
    assert "renames are not followed" in done.notes[0]

    applied = of_bot(ledger, "ConfigApplied")
    assert [(e.reason, e.actor.id, e.actor.kind.value) for e in applied] == [
        ("start\n\nwith three", "ann@example.org", "human"),
        ("raise", "bot@example.org", "service"),
        ("back", "ann@example.org", "human"),
    ]
    assert applied[0].data["fingerprint"] == applied[2].data["fingerprint"]
    assert applied[2].data["changes"] == [{"key": "levels", "old": "5", "new": "3"}]
    assert [e.occurred_at for e in applied] == [
        (START + n * day).replace(tzinfo=UTC, microsecond=0) for n in (1, 3, 5)
    ]
    registered = of_bot(ledger, "ConfigRegistered")
    assert len({e.data["fingerprint"] for e in registered}) == 2
    assert len(registered) == 3
    content = ledger.recorder.store.get_blob(registered[1].data["files"][0]["sha256"])
    assert content == b"# why\nlevels: 3\n"

    before = head(ledger)
    assert import_git(ledger, repository, "config.yaml").nothing_new
    assert head(ledger) == before
    repository.commit({"config.yaml": b"levels: 7\n"}, "on", at=START + 6 * day)
    more = import_git(ledger, repository, "config.yaml")
    assert (more.imported, more.already_known) == (1, 4)


def test_several_files_are_one_configuration(
    embedded_dsn: str, tmp_path: Path, repository: Repository
) -> None:
    """Under the names that the system knows them by, so that a rollback finds its way."""
    ledger = open_ledger(embedded_dsn, tmp_path / "home")
    register(ledger, "config.yaml")
    repository.commit({"config/config.yaml": b"levels: 3\nsize: 1\n"}, "base")
    repository.commit(
        {"config/config.yaml": b"levels: 3\nsize: 1\n", "live.yaml": b"levels: 4\n"}, "live"
    )
    repository.commit({"live.yaml": b"levels: 4\n"}, "base gone")
    repository.commit({"README": b""}, "all gone")
    done = import_git(ledger, repository, "config/config.yaml", "live.yaml")
    assert (done.records, done.imported) == (4, 3)
    assert len(done.repeated) == 1
    assert done.repeated[0].endswith("removes the configuration")
    applied = of_bot(ledger, "ConfigApplied")
    assert [[(c["key"], c.get("new")) for c in e.data["changes"]] for e in applied] == [
        [("levels", "3"), ("size", "1")],
        [("levels", "4")],
        [("size", None)],
    ]
    registered = of_bot(ledger, "ConfigRegistered")
    assert [f["name"] for f in registered[1].data["files"]] == ["config.yaml", "live.yaml"]
    close(ledger)


def test_a_commit_that_can_not_be_read_is_named(ledger: Ledger, repository: Repository) -> None:
    """By commit, file and line; nothing goes in, or all the others."""
    repository.commit({"config.yaml": b"levels: 3\n"})
    bad = repository.commit(
        {"config.yaml": b"levels: 3\nlevels: 4\n"}, at=START + timedelta(hours=1)
    )
    repository.commit({"config.yaml": b"levels: 5\n"}, at=START + timedelta(hours=2))
    before = head(ledger)
    with pytest.raises(BadInput, match=f"commit {bad[:12].decode()}: config.yaml line 2 .*levels"):
        import_git(ledger, repository, "config.yaml")
    assert head(ledger) == before
    done = import_git(ledger, repository, "config.yaml", skip_bad=True)
    assert (done.imported, len(done.skipped)) == (2, 1)


def test_a_merge_is_one_change_by_whoever_merged_it(ledger: Ledger, repository: Repository) -> None:
    """What was tried on the branch was never in force on the first parent's line."""
    base = repository.commit({"config.yaml": b"levels: 1\n"}, "base")
    side = repository.commit({"config.yaml": b"levels: 2\n"}, "try", parents=[base], on_branch=False,
                             author=b"Eve <eve@example.org>")  # fmt: skip
    side = repository.commit(
        {"config.yaml": b"levels: 3\n"}, "try more", parents=[side], on_branch=False
    )
    repository.commit({"config.yaml": b"levels: 3\n"}, "Merge branch 'side'", parents=[base, side],
                      author=b"Bob <bob@example.org>")  # fmt: skip
    assert import_git(ledger, repository, "config.yaml").imported == 2
    assert [e.actor.name for e in of_bot(ledger, "ConfigApplied")] == ["Ann Ang", "Bob"]


def test_times_that_run_backwards_do_not_turn_history_round(
    ledger: Ledger, repository: Repository
) -> None:
    """I13: a rebase keeps the authors' times; the last commit is in force all the same."""
    repository.commit({"config.yaml": b"levels: 1\n"}, at=START + timedelta(days=3))
    repository.commit(
        {"config.yaml": b"levels: 2\n"}, at=START, committed=START + timedelta(days=3)
    )
    repository.commit({"config.yaml": b"levels: 3\n"}, at=START + timedelta(days=900),
                      committed=START + timedelta(days=4))  # fmt: skip
    import_git(ledger, repository, "config.yaml")
    applied = of_bot(ledger, "ConfigApplied")
    assert [(e.occurred_at - START.replace(tzinfo=UTC, microsecond=0)).days for e in applied] == [
        3,
        3,
        4,
    ]
    assert state(ledger).fingerprint == applied[2].data["fingerprint"]


def test_a_commit_is_never_after_its_child(
    ledger: Ledger, repository: Repository, tmp_path: Path
) -> None:
    """I13: commits of one second, and a shallow clone that is deepened twice: the tip stays in force."""
    ids = [
        repository.commit({"config.yaml": b"levels: %d\n" % n}, f"commit {n}", at=START)
        for n in range(4)
    ]
    shallow = repository.path / ".git" / "shallow"
    for oldest in (ids[3], ids[1], None):
        if oldest is None:
            shallow.unlink()
        else:
            shallow.write_bytes(oldest + b"\n")
        import_git(ledger, repository, "config.yaml")
        applied = of_bot(ledger, "ConfigApplied")
        last = max(applied, key=lambda event: (event.occurred_at, event.position))
        assert last.reason == "commit 3"
        assert state(ledger).fingerprint == last.data["fingerprint"]
    history = sorted(applied, key=lambda event: (event.occurred_at, event.position))
    assert [event.reason for event in history] == [f"commit {n}" for n in range(4)]
    befores = [event.data["changes"][0].get("old") for event in history]
    assert befores == [
        None,
        None,
        "1",
        None,
    ]  # a shallow clone does not say what was before its first
    assert import_git(ledger, repository, "config.yaml").nothing_new


def test_a_pointer_of_git_lfs_is_no_configuration(ledger: Ledger, repository: Repository) -> None:
    """I31: YAML reads it as one text; the content is not in the repository, and that is said."""
    repository.commit({"config.yaml": b"levels: 3\n"})
    pointer = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:"
        + b"5e" * 32
        + b"\nsize 84977953\n"
    )
    moved = repository.commit({"config.yaml": pointer}, at=START + timedelta(hours=1))
    said = f"commit {moved[:12].decode()}: config.yaml is a Git LFS pointer"
    with pytest.raises(BadInput, match=said):
        import_git(ledger, repository, "config.yaml")
    done = import_git(ledger, repository, "config.yaml", skip_bad=True)
    assert (done.imported, len(done.skipped)) == (1, 1)
    assert state(ledger).fingerprint == of_bot(ledger, "ConfigApplied")[0].data["fingerprint"]


def test_names_in_other_encodings_are_read(ledger: Ledger, repository: Repository) -> None:
    """A commit may say its encoding, lie about it, or hold Latin-1 without saying so."""
    authors = [
        ("王伟 <w@example.org>".encode("gb18030"), b"gb18030"),
        ("Zoë <z@example.org>".encode("latin-1"), None),
        ("Zoë <z@example.org>".encode(), b"no-such-encoding"),
    ]
    for number, (author, encoding) in enumerate(authors):
        content = {"config.yaml": b"levels: %d\n" % number}
        repository.commit(content, author=author, encoding=encoding)
    import_git(ledger, repository, "config.yaml")
    assert [e.actor.name for e in of_bot(ledger, "ConfigApplied")] == ["王伟", "Zoë", "Zoë"]


def test_a_repository_is_found_from_inside_and_by_its_git_file(
    ledger: Ledger, repository: Repository, tmp_path: Path
) -> None:
    """A folder in it, a path on this machine, a work tree whose .git is a file."""
    repository.commit({"config/config.yaml": b"levels: 1\n"})
    assert import_git(ledger, repository, "./config/config.yaml").imported == 1
    inside = repository.path / "config"
    inside.mkdir(exist_ok=True)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {repository.path / '.git'}\n")
    absolute = str(repository.path / "config" / "config.yaml")
    for root, path in (
        (inside, "config/config.yaml"),
        (repository.path, absolute),
        (linked, "config/config.yaml"),
    ):
        done = importing.import_git(ledger, BOT, root, [path], ANN, Manner())
        assert (done.imported, done.already_known) == (0, 1)


def test_what_git_can_not_give_is_told(
    ledger: Ledger, repository: Repository, tmp_path: Path
) -> None:
    """No repository, no commit, no such file, a folder, a path outside, a missing object."""

    def fails(says: str, *paths: str, root: Path = repository.path, ref: str = "HEAD") -> None:
        with pytest.raises(Exception, match=says):
            importing.import_git(ledger, BOT, root, paths, ANN, Manner(), ref=ref)

    fails("is no git repository", "config.yaml", root=tmp_path)
    fails("has no branch, tag or commit 'HEAD'", "config.yaml")
    repository.commit({"config/config.yaml": b"levels: 1\n"})
    fails("has no branch, tag or commit 'v9'", "config.yaml", ref="v9")
    fails("No commit in the history of HEAD has a file nope.yaml", "nope.yaml")
    fails("has a file config\\.", "config")
    fails("is no path inside the repository", "../config.yaml")
    tip = repository.repo[repository.repo.head()]
    assert isinstance(tip, Commit)
    (repository.path / ".git" / "objects" / tip.tree[:2].decode() / tip.tree[2:].decode()).unlink()
    fails(f"object {tip.tree[:12].decode()} is missing or damaged", "config/config.yaml")
