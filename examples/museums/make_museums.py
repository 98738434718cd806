#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes museums.db from museums.csv: make_museums.py [FILE]"""
import csv
import pathlib
import sqlite3
import sys

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = """
create table museums (
  id integer primary key,
  slug text not null unique,
  name text not null,
  city text not null,
  country text not null,
  latitude real not null,
  longitude real not null,
  opened integer,
  kind text not null,
  added text not null,
  description text not null
);
create virtual table museums_fts using fts5(name, city, country, kind, description, content="museums", content_rowid="id",
  tokenize="porter unicode61");
"""


def main(path):
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    with open(HERE / "museums.csv", newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            db.execute(f"insert into museums ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))
    db.execute("insert into museums_fts (museums_fts) values ('rebuild')")
    db.execute("insert into museums_fts (museums_fts) values ('optimize')")
    db.commit()
    db.execute("vacuum")
    db.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "museums.db")
