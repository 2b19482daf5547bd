"""The mutants: each a line of a rule, and what would be a plausible wrong one in its place.

A mutant is found by its text, in whatever module that lies; tests/house/test_mutants.py insists that the text
stands once. Who changes such a line mends the mutant with it: the same fault in the new line, never a mutant
less.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One planted fault: in which of the rules, what it would mean, and the text that makes it."""

    rules: str
    means: str
    old: str
    new: str
    tests: str
    """The unit tests that have to catch it: a folder, or files with spaces between them."""


class Outdated(Exception):
    """The text of a mutant does not stand exactly once in the rules any more."""


def found_in(mutant: Mutant, root: Path = ROOT) -> Path:
    """Return the module that holds the text of a mutant.

    Raises:
        Outdated: none does, or several do, or one more than once.
    """
    counts = {
        path: path.read_text(encoding="utf-8").count(mutant.old)
        for path in sorted((root / "ledger").rglob("*.py"))
    }
    holding = [path for path, count in counts.items() if count]
    if sum(counts.values()) != 1:
        places = ", ".join(str(path.relative_to(root)) for path in holding) or "nowhere"
        raise Outdated(
            f"{mutant.rules}: {mutant.means!r}: its text should stand once in ledger/, and stands "
            f"{sum(counts.values())} times ({places}): {mutant.old!r}. Mend it in {__file__}."
        )
    return holding[0]


GATES, MODES, ROLLBACKS, ALERTS, REDACTION = "gates", "modes", "rollbacks", "alerts", "redaction"
MITIGATIONS, RUNS, PLANS, DRIFT = "mitigations", "runs", "plans", "drift"
CONFIGURATIONS = "configurations"
_DOMAIN: Final = "tests/unit/domain"
_ALERTS: Final = (
    "tests/unit/test_judge.py tests/unit/test_judge_tables.py tests/unit/test_muting.py"
    " tests/unit/test_own_alerts.py"
)
_REDACTION: Final = (
    "tests/unit/test_redaction.py tests/unit/test_secret_patterns.py tests/unit/test_secret_keys.py"
    " tests/unit/test_configuration_vectors.py"
)

MUTANTS: Final = (
    # --- gates: no evidence is not a pass (I8) ---
    Mutant(
        GATES, "a blocking check that was skipped lets pass",
        'result.result in {"FAIL", "ERROR", "SKIP"}', 'result.result in {"FAIL", "ERROR"}', _DOMAIN,
    ),
    Mutant(
        GATES, "checks that measured nothing are a GO",
        'if not any(result.result in {"PASS", "WARN"} for result in results):', "if not results:", _DOMAIN,
    ),
    Mutant(
        GATES, "criteria that were all waived are as good as met",
        'if not open_ or any(criterion.result == "inconclusive" for criterion in open_):',
        'if any(criterion.result == "inconclusive" for criterion in open_):', _DOMAIN,
    ),
    Mutant(
        GATES, "what could not tell opens",
        "return self in {Verdict.GO, Verdict.WAIVED}", "return self is not Verdict.NO_GO", _DOMAIN,
    ),
    Mutant(
        GATES, "evidence from the future counts",
        "if not 0 <= age <= max_age_seconds:", "if age > max_age_seconds:", _DOMAIN,
    ),
    Mutant(
        GATES, "a waiver lasts longer than the plan allows",
        "if until - now > longest:", "if until - now > longest * 2:", _DOMAIN,
    ),
    Mutant(
        GATES, "an approval by the asker, spelled otherwise, counts",
        'if actor.id.casefold() == asked.by_id.casefold():', 'if actor.id == asked.by_id:', _DOMAIN,
    ),
    Mutant(
        GATES, "a yes to a phase is one to any mode",
        "if asked is None or runs_in != mode or missing(asked):",
        "if asked is None or missing(asked):", _DOMAIN,
    ),
    Mutant(
        GATES, "a hole that is not over is forgiven",
        "if open_[labels] > asked.max_gap + asked.every:",
        "if open_[labels] > asked.end - asked.start:", "tests/unit/test_window_verdict.py",
    ),
    Mutant(
        GATES, "the last criterion that shows anything is waived",
        'if waived.issuperset(each for each in subjects if each.startswith(f"criterion:{phase}/")):',
        "if waived.issuperset(subjects):", _DOMAIN,
    ),
    Mutant(
        GATES, "a criterion of another phase is waived ahead",
        "if state.phase is None or state.phase.name != phase:", "if state.phase is None:", _DOMAIN,
    ),
    Mutant(
        GATES, "a mode is passed by a plain waiver",
        "if (axis in BROKEN_AXES) != break_glass:", "if break_glass and axis in WAIVED_AXES:", _DOMAIN,
    ),
    # --- modes: more exposure wants a person, a reason, a yes (I9, I34) ---
    Mutant(
        MODES, "a pause leads straight to real",
        "Mode.PAUSED: frozenset({Mode.MOCK, Mode.PAUSED}),",
        "Mode.PAUSED: frozenset({Mode.MOCK, Mode.PAUSED, Mode.REAL}),",
        "tests/unit/test_modes.py tests/unit/domain/test_modes_decide.py",
    ),
    Mutant(
        MODES, "a pause by hand is not seen, so that nobody is asked",
        "    reading = observed.safe if observed is not None else None\n    return",
        "    reading = None\n    return", _DOMAIN,
    ),
    Mutant(
        MODES, "of two sources the more exposed one is believed",
        "return min(answers, key=_reading_exposure, default=None)",
        "return max(answers, key=_reading_exposure, default=None)", _DOMAIN,
    ),
    Mutant(
        MODES, "a rule may say yes",
        'require_no_rule(said_yes, f"switching {state.system} to {target}")', "pass", _DOMAIN,
    ),
    Mutant(
        MODES, "a switch leads to real while the cause of a pause persists",
        "    if alert is not None:\n        raise Refused(",
        "    if alert is None:\n        raise Refused(", _DOMAIN,
    ),
    Mutant(
        MODES, "a rollback that became a pause keeps nobody from real",
        'if alert.rule.action != "pause" and not paused:', 'if alert.rule.action != "pause":', _DOMAIN,
    ),
    Mutant(
        MODES, "a kill criterion of another phase keeps from real, and that of this one does not",
        'rule.startswith("kill:") and not rule.startswith',
        'rule.startswith("kill:") and rule.startswith', _DOMAIN,
    ),
    Mutant(
        MODES, "a phase that is run in mock goes real",
        'one.name == name and one.mode == "mock"', 'one.name == name and one.mode == "real"', _DOMAIN,
    ),
    Mutant(
        MODES, "what the ledger says is done, whatever the world says",
        "agrees = observed is None or observed.tells(target, kind)", "agrees = True", _DOMAIN,
    ),
    Mutant(
        MODES, "a rule softens a pause that somebody put there by hand",
        "if reading is None or reading.mode is not Mode.PAUSED:",
        "if reading is None or reading.mode is Mode.PAUSED:", _DOMAIN,
    ),
    Mutant(
        MODES, "a pause that came meanwhile is overruled",
        "if safer_since(state, begun.position, target, kind) is not None:",
        "if safer_since(state, begun.position, target, kind) is None and begun.overtaken:", _DOMAIN,
    ),
    Mutant(
        MODES, "a switch to real is carried out again after a crash",
        "if not raises(state, target, kind, observed) or _lowers(observed, target, kind):",
        "if observed is not None or _lowers(observed, target, kind):", _DOMAIN,
    ),
    Mutant(
        MODES, "one of two sources says that the world has done it",
        "reading = observed.safe if observed is not None and observed.agrees else None",
        "reading = observed.readings[0] if observed is not None else None", _DOMAIN,
    ),
    # --- drift: no evidence is not a pass (I8) ---
    Mutant(
        DRIFT, "what could not be compared agrees again", "    if all_compared:\n", "    if True:\n", _DOMAIN,
    ),
    Mutant(
        DRIFT, "a source that can't tell agrees",
        "differing = [reading for reading in observed.readings if not reading.tells(mode, kind)]",
        "differing = [one for one in observed.readings if one.mode and not one.tells(mode, kind)]", _DOMAIN,
    ),
    # --- rollbacks: previous is not last good (I10) ---
    Mutant(
        ROLLBACKS, "the oldest stable one is the last",
        "return max(candidates)[1] if candidates else None",
        "return min(candidates)[1] if candidates else None", _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "the one that is left is a way back",
        "and not (fingerprint == state.fingerprint == in_place)", "and fingerprint", _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "what is left is not kept away from",
        "for fingerprint in dict.fromkeys((state.fingerprint, in_place))",
        "for fingerprint in dict.fromkeys((in_place,))", _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "the second press goes one further back",
        'state.applied_cause == "rollback"\n        and configuration',
        'state.applied_cause == "imported"\n        and configuration', _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "a second rollback begins beside the first",
        "begun = unfinished(state)\n    if begun is not None:",
        "begun = unfinished(state)\n    if begun is not None and selector != LAST_STABLE:", _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "nobody looks into a rollback where an incident was resolved before",
        'if any(incident.status != "resolved" for incident in state.incidents.values()):',
        "if state.incidents:", _DOMAIN,
    ),
    Mutant(
        ROLLBACKS, "the code goes forward to a commit that never ran",
        "if not (wanted in state.codes or is_behind or wanted == fallback):",
        "if not (wanted in state.codes or is_behind or fallback):", _DOMAIN,
    ),
    # --- configurations: a crash leaves nothing half done (I12) ---
    Mutant(
        CONFIGURATIONS, "an apply that was half done is given up",
        "return LeftApply(is_completed=any(done)", "return LeftApply(is_completed=all(done)", _DOMAIN,
    ),
    Mutant(
        CONFIGURATIONS, "an apply is completed over a later decision",
        "    if begun.overtaken:\n        return LeftApply", "    if begun.failed:\n        return LeftApply",
        _DOMAIN,
    ),
    Mutant(
        CONFIGURATIONS, "half of a phase that was decided against is recorded as all of it",
        "LeftApply(is_completed=all(done), why=why)", "LeftApply(is_completed=any(done), why=why)", _DOMAIN,
    ),
    Mutant(
        CONFIGURATIONS, "a file that stays as it is says that an apply was begun",
        "if name in changed]", "if name in in_place]", _DOMAIN,
    ),
    # --- alerts: what is not seen holds, and the clock of `for` is kept (I8, I14) ---
    Mutant(
        ALERTS, "the clock runs while nobody looks",
        "late = timedelta(0) <= gap <= self.interval * GAPS_ALLOWED", "late = True", _ALERTS,
    ),
    Mutant(
        ALERTS, "an alert whose series vanished is over",
        'if self._rule.no_data == "resolve":', 'if self._rule.no_data != "fire":', _ALERTS,
    ),
    Mutant(
        ALERTS, "it is over at once, though it was to keep firing",
        "if not keep or (clear_since and self._look.at - from_iso(clear_since) >= keep):",
        "if not keep or clear_since or self._look.at:", _ALERTS,
    ),
    Mutant(
        ALERTS, "a mitigation needs no incident",
        "if (rule.action.acts or rule", 'if (rule.action.name in {"pause", "rollback"} or rule', _ALERTS,
    ),
    Mutant(
        ALERTS, "two alerts mute each other, and nobody is told of either",
        "if above == alert:\n            return True",
        "if above == alert:\n            return False", _ALERTS,
    ),
    Mutant(
        ALERTS, "every firing opens an incident of its own",
        'if severity != "critical" or has_incident:', 'if severity != "critical":', _DOMAIN,
    ),
    Mutant(
        ALERTS, "an incident is closed without having been resolved",
        '"open": frozenset({"acknowledged", "resolved"}),',
        '"open": frozenset({"acknowledged", "resolved", "closed"}),', _DOMAIN,
    ),
    Mutant(
        ALERTS, "a rule silences", "if actor.kind is not ActorKind.HUMAN:\n        raise ReasonRequired",
        "if False:\n        raise ReasonRequired", _DOMAIN,
    ),
    Mutant(
        ALERTS, "a silence of everything", "    if not matchers:\n", "    if matchers is None:\n", _DOMAIN,
    ),
    Mutant(
        ALERTS, "an incident that was opened twice stays twice",
        "if alert in first:", "if name in first:", _DOMAIN,
    ),
    Mutant(
        ALERTS, "a rule overrides a person",
        "if state.human_position > alert.position > 0:", "if 0 > alert.position > 0:", _DOMAIN,
    ),
    Mutant(
        ALERTS, "a mitigation that was refused is asked for again and again",
        '(alert.acted == "failed" and rule.action in STOPPING)', '(alert.acted == "failed")', _DOMAIN,
    ),
    Mutant(
        ALERTS, "what did not help is left at that",
        'rule.action in STOPPING\n        and state.mode',
        'rule.action in {"pause"}\n        and state.mode', _DOMAIN,
    ),
    Mutant(
        ALERTS, "a pause follows against a person",
        "and not state.human_position > alert.position > 0", "and state.human_position >= 0", _DOMAIN,
    ),
    # --- plans: the next may take guards away (I9, I11) ---
    Mutant(
        PLANS, "a plan takes another's place for no reason",
        "    if plan is not None:\n        # The first", "    if plan is None:\n        # The first", _DOMAIN,
    ),
    Mutant(
        PLANS, "a plan for another environment is adopted",
        "if state.environment != environment:", "if not state.environment:", _DOMAIN,
    ),
    Mutant(
        PLANS, "a number that is not one is within its limit",
        "return None if math.isnan(said) else said", "return said", _DOMAIN,
    ),
    Mutant(
        PLANS, "what is above a limit only in quotes passes",
        """said = float(str(text).strip('"')) if""", "said = float(str(text)) if", _DOMAIN,
    ),
    Mutant(
        PLANS, "an overlay is laid over files that can't be told",
        "if in_place is None or in_place != state.fingerprint:",
        "if in_place and in_place != state.fingerprint:", _DOMAIN,
    ),
    Mutant(
        PLANS, "a phase is entered after somebody went on meanwhile",
        "if (following.name if following else None) != name:", "if following is None and name:", _DOMAIN,
    ),
    Mutant(
        PLANS, "an abort puts back what nobody asked for any more",
        "if to_put_back(state) != before:", "if not before:", _DOMAIN,
    ),
    # --- mitigations: a rule never raises the exposure (I9) ---
    Mutant(
        MITIGATIONS, "an override towards the riskier side is carried out",
        '(planned.safer == "lower" and bounded > present) or (', "(", _DOMAIN,
    ),
    Mutant(
        MITIGATIONS, "a rule lifts what protects",
        'require_no_rule(actor, f"lifting {key}")', "pass", _DOMAIN,
    ),
    Mutant(
        MITIGATIONS, "what another has asked for since counts as told",
        'elif standing.status == "requested" and key in keys:',
        'elif standing.status == "requested":', _DOMAIN,
    ),
    Mutant(
        MITIGATIONS, "one whose time is over stays in force",
        "if standing.until <= iso(now):", "if not standing.until:", _DOMAIN,
    ),
    # --- runs: a start never raises the exposure (I9), and only who holds the locks can tell a death ---
    Mutant(
        RUNS, "a start puts back a mode that is more exposed than what stands",
        "if exposure(reading.mode, reading.pause_kind) < exposure(mode, kind):",
        "if reading.mode is Mode.PAUSED and mode is Mode.PAUSED:", _DOMAIN,
    ),
    Mutant(
        RUNS, "a run on another machine is taken for dead", "if run.host != host:", "if not host:", _DOMAIN,
    ),
    Mutant(
        RUNS, "what was told to stop has crashed", "return not asked and exit_code != 0",
        "return exit_code != 0", _DOMAIN,
    ),
    # --- redaction: no secret is ever stored (I6) ---
    Mutant(
        REDACTION, "a private key of a chain is no secret",
        'if not public_name and ("0x" in text or "0X" in text):',
        'if not public_name and "0X" in text:', _REDACTION,
    ),
    Mutant(
        REDACTION, "a secret that stands a second time in a sentence stays",
        "if again:\n        spans", "if again and prose and not spans:\n        spans", _REDACTION,
    ),
    Mutant(
        REDACTION, "a secret of a comment stays where it is used",
        "secrets |= {source.text[start:end] for start, end in spans}", "secrets |= set()", _REDACTION,
    ),
    Mutant(
        REDACTION, "what could not be cut out is stored all the same",
        "if meant != value or (self._known and self._known.search(text)):", "if meant != value:", _REDACTION,
    ),
    Mutant(
        REDACTION, "a file with digests in it is kept as if they were the secrets",
        "            _refuse_digests(source)\n", "            pass\n", _REDACTION,
    ),
    Mutant(
        REDACTION, "a file that is not what was recorded is put back",
        "if key.content_digest(content) != content_digest:", "if not content:", _REDACTION,
    ),
)  # fmt: skip
