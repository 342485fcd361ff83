#!/usr/bin/env python3
"""Writes version1.db and version2.db: ledgers as older programs wrote them, with one charge each.
version3.db is the work of the last program that wrote version 3: two jobs, in the first a lost attempt and a repeated one."""
import sqlite3
from pathlib import Path


def write(version, more):
    file = Path(__file__).with_name(f"version{version}.db")
    file.unlink(missing_ok=True)
    ledger = sqlite3.connect(file)
    ledger.execute("PRAGMA page_size = 1024")
    ledger.executescript(f"""
  CREATE TABLE charges (
    id INTEGER PRIMARY KEY,
    dataset_id TEXT NOT NULL,
    run BLOB NOT NULL,
    round INTEGER NOT NULL,
    job_hash BLOB NOT NULL,
    when_utc TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    without_privacy INTEGER NOT NULL,
    sampling_rate REAL,
    noise_multiplier REAL,
    steps INTEGER,
    {more}UNIQUE (dataset_id, run, round)
  ) STRICT;
  PRAGMA application_id = 1397707860;
  PRAGMA user_version = {version};
""")
    columns = "dataset_id, run, round, job_hash, when_utc, without_privacy, sampling_rate, noise_multiplier, steps"
    ledger.execute(f"INSERT INTO charges ({columns}) VALUES ('hospital/2026', ?, 65536, ?, '2026-01-01T00:00:00Z', 0, 0.01, 1.0, 100)",
                   (bytes([7] + [0] * 31), bytes([8] + [0] * 31)))
    ledger.commit()
    ledger.close()


write(1, "")
write(2, "input BLOB, ")


def write_persons():
    """persons.db: version 4 with a charge that protects persons with two examples each, which a later program may write."""
    file = Path(__file__).with_name("persons.db")
    file.unlink(missing_ok=True)
    write(2, "input BLOB, ")
    file.write_bytes(Path(__file__).with_name("version2.db").read_bytes())
    ledger = sqlite3.connect(file)
    ledger.executescript("""
  CREATE TABLE charged_noise (charge INTEGER PRIMARY KEY, mechanism INTEGER NOT NULL, variance INTEGER NOT NULL, unknown_noises INTEGER NOT NULL,
    squared_sensitivity INTEGER NOT NULL, dimension INTEGER NOT NULL, rounds INTEGER NOT NULL) STRICT;
  ALTER TABLE charges ADD COLUMN job_name TEXT;
  ALTER TABLE charges ADD COLUMN outcome INTEGER;
  ALTER TABLE charges ADD COLUMN unit INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE charges ADD COLUMN examples INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE charges ADD COLUMN masked_noise_multiplier REAL;
  CREATE TABLE budget_rules (dataset_id TEXT PRIMARY KEY, renyi_order REAL NOT NULL, one_job BLOB, max_epsilon REAL NOT NULL) STRICT;
  UPDATE charges SET unit = 1, examples = 2;
  PRAGMA user_version = 4;
""")
    ledger.commit()
    ledger.close()


write_persons()
