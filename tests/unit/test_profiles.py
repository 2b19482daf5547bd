"""The plans that are shipped, and those that don't fit."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.domain.errors import BadInput
from ledger.profiles.model import Profile
from ledger.profiles.plan import Plan, from_content, load

PROFILES = Path(__file__).parents[2] / "profiles"
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


def test_two_seeds_may_disagree() -> None:
    """ECE for 10 minutes pauses calibration in one, for 2 minutes rolls back in the other."""
    (gate,) = [r for f in plan("ofi-cvd-t0").rule_files for r in f.rules if r.name == "EceHigh"]
    (kill,) = [k for k in plan("ofi-cvd-canary").profile.phases[0].kill if k.name == "platt-ece"]
    assert (gate.for_, gate.action.name) == (timedelta(minutes=10), "mitigate")
    assert (kill.for_, kill.action) == (timedelta(minutes=2), "rollback")


def test_the_schema_for_editors_is_that_of_the_model() -> None:
    shipped = json.loads((PROFILES / "profile.schema.json").read_bytes())
    assert {"$schema": shipped["$schema"], **Profile.model_json_schema(by_alias=True)} == shipped


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("min_duration: 7d", "7 days"),
        ("mode: live", "phases[0].mode"),
        ("succes: []", "did you mean 'success'?"),
        ("success: [{name: x, expr: a > 1, no_alerts: critical}]", "exactly one of"),
        ("success: [{name: x, expr: a > 1}]", "min_duration"),
        ("kill: [{name: x, expr: a > 1, action: mitigate}]", "mitigate goes with a mitigation"),
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
    ],
)  # fmt: skip
def test_a_rule_that_does_not_fit_is_told_where(tmp_path: Path, rule: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(f"groups:\n  - name: g\n    rules:\n      - {rule}\n")
    (tmp_path / "p.yaml").write_text("profile: p\nenvironment: staging\nrules: [r.yaml]\n")
    with pytest.raises(BadInput) as refused:
        load(tmp_path / "p.yaml")
    assert "r.yaml" in refused.value.message
    assert told in refused.value.message
