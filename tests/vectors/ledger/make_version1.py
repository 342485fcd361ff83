#!/usr/bin/env python3
"""Writes version1.db: a ledger as programs of before inputs had names wrote it, with one charge."""
import sqlite3
from pathlib import Path

file = Path(__file__).with_name("version1.db")
file.unlink(missing_ok=True)
ledger = sqlite3.connect(file)
ledger.execute("PRAGMA page_size = 1024")
ledger.executescript("""
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
    UNIQUE (dataset_id, run, round)
  ) STRICT;
  PRAGMA application_id = 1397707860;
  PRAGMA user_version = 1;
""")
ledger.execute("INSERT INTO charges VALUES (1, 'hospital/2026', ?, 65536, ?, '2026-01-01T00:00:00Z', 0, 0.01, 1.0, 100)",
               (bytes([7] + [0] * 31), bytes([8] + [0] * 31)))
ledger.commit()
ledger.close()
