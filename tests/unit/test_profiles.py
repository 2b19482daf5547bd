"""The plans that are shipped, and those that don't fit."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.configuration.strict import read_model
from ledger.domain.errors import BadInput, UnknownName
from ledger.profiles import shipped
from ledger.profiles.model import Profile, json_schema
from ledger.profiles.plan import Plan, from_content, load

PROFILES = shipped.FOLDER
SHIPPED = sorted(PROFILES.glob("*.yaml"))


def plan(name: str) -> Plan:
    return load(PROFILES / f"{name}.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_plan_is_read_back_from_what_is_kept(path: Path) -> None:
    """What watches goes by the blob in the ledger, not by the file: both say the same."""
    adopted = load(path)
    kept = from_content(adopted.content)
    assert kept.profile == adopted.profile
    assert kept.fingerprint == adopted.fingerprint
    assert [file.rules for file in kept.rule_files] or not adopted.profile.rules
    assert adopted.profile.profile == path.stem


@pytest.mark.parametrize(
    ("name", "phases", "checks", "rules"),
    [
        ("keylevelgrid-v3", ["simulation", "small_live", "full"], 4, 9),
        ("okx-gradual", ["rehearsal", "one_percent"], 6, 5),
        ("polyarb-x", ["shadow", "micro_live", "constrained", "scaled"], 22, 11),
        ("ofi-cvd-t0", ["canary", "expanded"], 6, 8),
        ("ofi-cvd-canary", ["canary"], 2, 4),
    ],
)
def test_what_the_plans_name(name: str, phases: list[str], checks: int, rules: int) -> None:
    found = plan(name)
    assert [phase.name for phase in found.profile.phases] == phases
    assert len(found.profile.checks) == checks
    assert sum(len(file.rules) for file in found.rule_files) == rules


def test_the_22_checks_by_category() -> None:
    """Four, six, three, six and three: 22, though the checklist's own text counts only four kinds."""
    counted: dict[str, int] = {}
    for check in plan("polyarb-x").profile.checks:
        counted[check.category] = counted.get(check.category, 0) + 1
    assert counted == {
        "security": 4, "system": 6, "data": 3, "operations": 6, "documentation": 3,
    }  # fmt: skip


def test_the_limits_of_the_four_phases() -> None:
    limits = {phase.name: dict(phase.exposure) for phase in plan("polyarb-x").profile.phases}
    assert limits["micro_live"] == {"TRADE_SIZE": 2, "MAX_POSITION_SIZE": 20, "MAX_DAILY_LOSS": 3}
    assert [limits[name]["TRADE_SIZE"] for name in limits] == [1, 2, 5, 20]


@pytest.mark.parametrize("name", shipped.names())
def test_a_copy_of_a_shipped_plan_says_the_same(name: str, tmp_path: Path) -> None:
    """What is copied can be read, with its rules, and an editor finds the schema beside it."""
    written = shipped.copy(name, tmp_path / "plans")
    assert written[0] == tmp_path / "plans" / f"{name}.yaml"
    assert load(written[0]).fingerprint == plan(name).fingerprint
    assert written[0].read_text().startswith(f"# yaml-language-server: $schema={shipped.SCHEMA}\n")
    assert json.loads((tmp_path / "plans" / shipped.SCHEMA).read_bytes()) == json_schema()


@pytest.mark.parametrize("there", ["okx-gradual.yaml", "rules/okx-gradual.yaml"])
def test_a_copy_overwrites_nothing(there: str, tmp_path: Path) -> None:
    """What somebody has changed stays, and nothing is written beside it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / there).write_text("mine\n")
    with pytest.raises(BadInput, match=f"{there} is there already"):
        shipped.copy("okx-gradual", tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["okx-gradual.yaml"]
    assert (tmp_path / there).read_text() == "mine\n"


def test_a_plan_that_is_not_shipped_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as refused:
        shipped.copy("polyarb", tmp_path)
    assert refused.value.hint == "did you mean 'polyarb-x'?"


def test_two_seeds_may_disagree() -> None:
    """ECE for 10 minutes pauses calibration in one, for 2 minutes rolls back in the other."""
    (gate,) = [r for f in plan("ofi-cvd-t0").rule_files for r in f.rules if r.name == "EceHigh"]
    (kill,) = [k for k in plan("ofi-cvd-canary").profile.phases[0].kill if k.name == "platt-ece"]
    assert (gate.for_, gate.action.name) == (timedelta(minutes=10), "mitigate")
    assert (kill.for_, kill.action) == (timedelta(minutes=2), "rollback")


def test_the_schema_for_editors_is_that_of_the_model() -> None:
    assert json_schema() == json.loads((PROFILES / "profile.schema.json").read_bytes())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("min_duration: 7d", "7 days"),
        ("mode: live", "phases[0].mode"),
        ("succes: []", "did you mean 'success'?"),
        ("success: [{name: x, expr: a > 1, no_alerts: critical}]", "exactly one of"),
        ("success: [{name: x, expr: a > 1}]", "min_duration"),
        ("kill: [{name: x, expr: a > 1, action: mitigate}]", "mitigate goes with a mitigation"),
        ("kill: [{name: x, expr: a >== 1}]", "p.yaml, line 5, one/x: 'a >== 1' is no PromQL"),
        (
            "success: [{name: x, expr: 'topk(1, a)', over: 1h}]",
            "p.yaml, line 5, one/x: 'topk(1, a)' uses the aggregation topk, which",
        ),
        ("min_duration: 1h30", "line 5: phases[0].min_duration: '1h30' is no duration; write 90s,"),
        ("kill: [{name: x, expr: a}, {name: x, expr: b}]", "line 5: phases[0].kill[1].name: there"),
    ],
)
def test_a_plan_that_does_not_fit_is_told_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "p.yaml"
    text = text.replace("min_duration: 7d", "min_duration: 7 days")
    path.write_text(f"profile: p\nenvironment: staging\nphases:\n  - name: one\n    {text}\n")
    with pytest.raises(BadInput) as refused:
        load(path)
    assert refused.value.message.startswith("p.yaml")
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{alert: A, expr: 'x > 1', annotations: {rollout_acton: pause}}", "did you mean rollout_action"),
        ("{alert: A, expr: 'x >'}", "is no PromQL"),
        ("{alert: A, expr: 'topk(3, x)'}", "needs a Prometheus server"),
        ("{alert: A, expr: 'x > 1', annotations: {rollout_action: mitigate, rollout_mitigation: m}}",
         "which p.yaml does not have"),
        ("{alert: A, expr: 'x > 1', for: soon}", "no duration"),
        ("{alert: A, expr: 'x > 1', foo: 1}", "there is no key"),
        ("{alert: A, expr: 'x > 1', annotations: {rollout_applies_in: mode=life}}", "mock, real"),
        ("{alert: A, expr: 'x > 1', annotations: {rollout_applies_in: phase=canry}}", "never fire"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_fit_is_told_where(tmp_path: Path, rule: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(f"groups:\n  - name: g\n    rules:\n      - {rule}\n")
    (tmp_path / "p.yaml").write_text("profile: p\nenvironment: staging\nrules: [r.yaml]\n")
    with pytest.raises(BadInput) as refused:
        load(tmp_path / "p.yaml")
    assert "r.yaml" in refused.value.message
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules: [slos.yaml]", "line 3: rules: there is no file 'slos.yaml' beside the profile."),
        ("rules: [../r.yaml]", "line 3: rules: '../r.yaml' lies outside the profile's folder."),
        (
            "checks: [{name: a, kind: http, url: '${adres}/x'}]\nparams: {address: null}",
            "line 3: check a, url: ${adres} is no parameter of the plan; did you mean 'address'?",
        ),
        (
            "checks:\n - {name: a, kind: ledger}\n - {name: a, kind: ledger}",
            "line 5: checks[1].name: two checks have the name 'a'",
        ),
        ("rules: [slo.yaml, again.yaml]", "again.yaml and slo.yaml both have a rule A"),
    ],
)
def test_what_a_plan_names_and_is_not_there_is_told_where(
    tmp_path: Path, text: str, told: str
) -> None:
    for name in ("slo.yaml", "again.yaml"):
        (tmp_path / name).write_text("groups: [{name: g, rules: [{alert: A, expr: a > 1}]}]\n")
    path = tmp_path / "p.yaml"
    path.write_text(f"profile: p\nenvironment: staging\n{text}\n")
    with pytest.raises(BadInput) as refused:
        load(path)
    assert told in refused.value.message


def test_a_rule_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\x80\x81")
    path = tmp_path / "p.yaml"
    path.write_text("profile: p\nenvironment: staging\nrules: [r.yaml]\n")
    with pytest.raises(BadInput, match=r"r\.yaml"):
        load(path)


def test_the_schema_names_durations_as_they_are_written() -> None:
    """An editor puts a default into the file: 15s is read, PT15S is not."""
    schema = json.loads((PROFILES / "profile.schema.json").read_bytes())
    watch = schema["$defs"]["Watch"]["properties"]
    assert watch["interval"]["default"] == "15s"
    assert '"PT' not in json.dumps(schema)


def test_the_page_shows_every_key_of_every_metric_source() -> None:
    """What stands on the page can be copied, and a key that nobody shows is a key that nobody finds."""
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text()
    (text,) = re.findall(r"```yaml\n(metrics:.*?)```", page, re.DOTALL)
    head = "profile: p\nenvironment: staging\n"
    sources = read_model((head + text).encode(), "page.yaml", Profile).metrics
    shown: set[str] = set()
    for source in sources:
        shown |= source.model_fields_set
    assert {source.kind for source in sources} == {
        "prometheus_text", "prometheus_api", "json_file", "csv_file", "jsonl_file", "log_file",
    }  # fmt: skip
    assert all(type(source).model_fields.keys() <= shown for source in sources)


def test_what_is_looked_at_for_secrets_is_what_was_read(tmp_path: Path) -> None:
    """I6: a file that becomes another one meanwhile is recorded as it was looked at."""
    rules = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n"
    profile = "profile: p\nenvironment: staging\nrules: [rules.yaml]\n"
    (tmp_path / "plan.yaml").write_text(profile)
    (tmp_path / "rules.yaml").write_text(rules)
    plan = load(tmp_path / "plan.yaml")
    for name in ("plan.yaml", "rules.yaml"):
        (tmp_path / name).write_text("another\n")
    assert [(file.name, file.text) for file in plan.written] == [
        ("plan.yaml", profile),
        ("rules.yaml", rules),
    ]
    assert json.loads(plan.content)["rules"] == {"rules.yaml": plan.written[1].text}
