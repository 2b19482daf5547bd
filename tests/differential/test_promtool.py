"""Rules after public ones, with unit tests: promtool and `rollout rules test` say the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ledger.service.backtest.replay import run_tests
from tests.support.prometheus import program

FOLDER = Path(__file__).parent / "promtool"
FILES = sorted(FOLDER.glob("*_test.yaml"))


def promtool(path: Path) -> bool:
    words = [program("promtool"), "test", "rules", path.name]
    return subprocess.run(words, cwd=path.parent, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_both_find_it_right(path: Path) -> None:
    """I8: two rules of one name, labels laid over and filled in, recorded series, NaN, what vanishes."""
    assert promtool(path)
    assert [one for one in run_tests(path) if not one.passed] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_both_find_it_wrong(path: Path, tmp_path: Path) -> None:
    """Each expectation turned round, in turn: what should fire is not expected, what should not is."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    written = yaml.safe_load(path.read_text())
    wrong = tmp_path / path.name
    for case in written["tests"]:
        for test in case["alert_rule_test"]:
            right = test["exp_alerts"]
            test["exp_alerts"] = [] if right else [{"exp_labels": {"severity": "warning"}}]
            wrong.write_text(yaml.safe_dump(written))
            failed = [(one.alert, one.at) for one in run_tests(wrong) if not one.passed]
            assert failed == [(test["alertname"], test["eval_time"])]
            assert not promtool(wrong)
            test["exp_alerts"] = right


def test_what_can_not_be_evaluated_fails_in_both(tmp_path: Path) -> None:
    """04: an alert that is not expected and does not come proves nothing, where the rule is blind."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: a / on (v) b > 9}]}]\n")
    tests = tmp_path / "tests.yaml"
    series = [
        {"series": f"{name}", "values": "1x5"}
        for name in ('a{v="1", s="x"}', 'a{v="1", s="y"}', 'b{v="1"}')
    ]
    expected = {"eval_time": "3m", "alertname": "A", "exp_alerts": []}
    case = {"interval": "1m", "input_series": series, "alert_rule_test": [expected]}
    tests.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    assert not promtool(tests)
    (told,) = run_tests(tests)
    assert not told.passed
    assert told.got.startswith("A can't be evaluated: a / on (v) b > 9: several on the left")
