"""Checks as a plan writes them: what fits, what is told, and what parameters do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.domain.errors import BadInput
from ledger.preflight import specs
from ledger.preflight.kinds import MEASURES
from ledger.preflight.params import check_placeholders, effective, resolved
from tests.support.preflight import Plan, checks, plan

BACKTEST = """
params: {min_sharpe: 0.2, strict: false, admin_url: null, suffix: a}
checks:
  - name: backtest
    kind: json_thresholds
    path: data/${suffix}.json
    values: {sharpe: {min: "${min_sharpe}"}}
  - {name: admin, kind: http, url: "${admin_url}/status"}
  - {name: money, kind: file, path: "$${HOME}/${system}"}
  - {name: fresh, kind: sql_freshness, dsn: "${DATABASE_URL}", table: t, column: c, max_age: 5s}
"""


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("name: a, kind: http, urrl: x", "did you mean 'url'?"),
        ("name: a, kind: htp", "'htp'"),
        ("name: A b, kind: ledger", "name: string should match"),
        ("name: a, kind: ledger, priority: P5", "'P5' is none of P0, P1, P2, P3"),
        ("name: a, kind: ledger, timeout: 0s", "a check needs some time"),
        ("name: a, kind: ledger, timeout: soon", "'soon' is no duration"),
        ("name: a, kind: http, url: http://u:pw@x", "no user and no password"),
        ("name: a, kind: http, url: ftp://x", "checks[0].url: string should match"),
        ("name: a, kind: http, url: http://x, max_latency_ms: '3'", "without quotes"),
        ("name: a, kind: http, url: http://x, max_latency_ms: true", "a number was expected"),
        ("name: a, kind: file, path: x, mode: 0600", 'write it in quotes, as "0600"'),
        ("name: a, kind: file, path: x, exists: false, mode: '0600'", "leaves nothing else"),
        ("name: a, kind: sql_freshness, dsn: 'postgresql://u:pw@h/d', table: t, column: c, max_age: 5s",
         "checks[0].dsn: string should match"),
        ("name: a, kind: disk_space, min_free: 5 elephants", "no size"),
        ("name: a, kind: metric, metric: m, bounds: {min: 3, max: 2}", "min is above max"),
        ("name: a, kind: metric, metric: m, bounds: {warn_min: 1, min: 2}", "min is above warn_min"),
        ("name: a, kind: program_version, command: [p], min: x", "'x' is no version"),
        ("name: a, kind: program_version, command: [p], min: '1', pattern: v", "needs a group"),
        ("name: a, kind: program_version, command: [p], min: '1', pattern: '(('", "no regular expr"),
        ("name: a, kind: program_version, command: [p]", "min, max or warn_min is needed"),
        ("name: a, kind: config_key, keys: {k: {equals: 1, max: 2}}", "equals leaves nothing"),
        ("name: a, kind: secret_scan, path: ., max_files: 1.5", "a whole number was expected"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_line(item: str, told: str) -> None:
    """I6 too: a DSN is a variable's name, so that no password can stand in a plan."""
    with pytest.raises(BadInput) as refused:
        checks(item)
    assert "plan.yaml, line 2: " in refused.value.message
    assert told in refused.value.message
    assert "pw" not in refused.value.message


def test_a_name_is_used_once() -> None:
    with pytest.raises(BadInput, match="two checks have the name 'a'"):
        checks("name: a, kind: ledger", "name: a, kind: ledger")


def test_a_program_has_a_name() -> None:
    with pytest.raises(BadInput, match="command: tuple should have at least 1 item"):
        checks("name: a, kind: command, command: []")


def test_each_kind_can_be_measured() -> None:
    """The models and what measures them are the same kinds."""
    union = Plan.model_json_schema()["$defs"]
    kinds = {
        model["properties"]["kind"]["const"]
        for model in union.values()
        if "kind" in model.get("properties", {})
    }
    assert kinds == MEASURES.keys()


def test_parameters_are_put_in_where_they_stand() -> None:
    """A number stays one, a text is put together, and a doubled dollar is a dollar."""
    read = plan(BACKTEST)
    params = effective(read.params, {"min_sharpe": "0.35", "admin_url": "http://localhost:8001"})
    params["system"] = "okx"
    backtest, admin, money, fresh = (resolved(check, params) for check in read.checks)
    assert isinstance(backtest, specs.JsonThresholds)
    assert backtest.path == "data/a.json"
    assert backtest.values["sharpe"].min == Decimal("0.35")
    assert isinstance(admin, specs.Http)
    assert admin.url == "http://localhost:8001/status"
    assert isinstance(money, specs.File)
    assert money.path == "${HOME}/okx"
    assert isinstance(fresh, specs.SqlFreshness)
    assert fresh.dsn == "${DATABASE_URL}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_shrpe": "1"}, "no parameter 'min_shrpe'; did you mean 'min_sharpe'?"),
        ({"min_sharpe": "high"}, "min_sharpe takes a number, and was given 'high'"),
        ({"min_sharpe": "true"}, "takes a number"),
        ({"min_sharpe": "NaN"}, "takes a number"),
        ({"strict": "perhaps"}, "strict takes true or false"),
        ({"admin_url": "http://bot:hunter2x@host"}, "admin_url holds a secret"),
    ],
)
def test_a_parameter_that_is_off_is_told(given: dict[str, str], told: str) -> None:
    """I6: what is recorded may hold no secret."""
    with pytest.raises(BadInput) as refused:
        effective(plan(BACKTEST).params, given)
    assert told in refused.value.message
    assert "hunter2x" not in refused.value.message


def test_a_parameter_without_a_value_is_told_with_check_and_key() -> None:
    read = plan(BACKTEST)
    with pytest.raises(BadInput, match=r"check admin, url: \$\{admin_url\} has no value"):
        resolved(read.checks[1], effective(read.params, {}))


def test_what_comes_out_must_fit_too() -> None:
    """A bound that a parameter turns around, an address of another scheme."""
    read = plan(BACKTEST)
    with pytest.raises(BadInput, match="check admin, url: "):
        resolved(read.checks[1], effective(read.params, {"admin_url": "file:///etc"}))
    (bounded,) = plan(
        'checks: [{name: m, kind: metric, metric: x, bounds: {min: 1, max: "${top}"}}]'
    ).checks
    with pytest.raises(BadInput, match="check m, bounds: min is above max"):
        resolved(bounded, {"top": 0})


def test_a_plan_can_be_seen_through_before_it_is_run() -> None:
    """Each ${name} is declared; a typing error is met when the plan is read, not at three at night."""
    read = plan(BACKTEST)
    for check in read.checks:
        check_placeholders(check, read.params)
    backtest = read.checks[0]
    with pytest.raises(BadInput, match=r"check backtest, values.sharpe.min: .*did you mean"):
        check_placeholders(backtest, {"min_sharp", "suffix", "admin_url"})


def test_a_number_may_stand_for_a_text() -> None:
    (check,) = plan('checks: [{name: a, kind: file, path: "${day}"}]').checks
    found = resolved(check, {"day": 20251120})
    assert isinstance(found, specs.File)
    assert found.path == "20251120"
