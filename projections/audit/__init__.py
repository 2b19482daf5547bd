"""The auditor: a DuckDB replica of the log, and questions about it in SQL. See docs/audit.md.

It shares no code with what it audits: it copies the log's bytes as the role that may only read, checks
them in a language of its own, and derives its facts from the events alone. The replica is disposable.
"""
