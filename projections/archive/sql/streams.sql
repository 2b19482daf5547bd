-- Remember where the streams stand after `log.event`.
INSERT OR REPLACE INTO stream SELECT stream, max(revision) FROM log.event GROUP BY stream;
