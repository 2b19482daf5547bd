"""Checks before something goes live: each measures one thing and puts it beside its threshold."""
