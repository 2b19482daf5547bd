"""Bringing in a past: readers (pure), what their records become as events, and appending it once.

`config_changes` and `git` read histories of configurations, which `changes` turns into events;
`jsonl` and `risk_events` read order activity, which `activity` streams in. `base` has what all share.
"""
