#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes congress.db, the sample database, from the JSON files of unitedstates/congress-legislators (CC0).

  make_demo.py JSON_DIRECTORY [congress.db]

JSON_DIRECTORY holds legislators-current.json, committees-current.json and legislators-social-media.json. The result
has no journal, is vacuumed, and is the same for the same input and the same SQLite.
"""
import json
import pathlib
import sqlite3
import sys

SCHEMA = """
CREATE TABLE parties (
    id TEXT PRIMARY KEY,                  -- the first letter
    name TEXT NOT NULL
);
CREATE TABLE states (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE TABLE legislators (
    id TEXT PRIMARY KEY,                  -- Bioguide identifier
    name TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    nickname TEXT,
    birthday TEXT,
    gender TEXT,
    chamber TEXT NOT NULL CHECK (chamber IN ('House', 'Senate')),
    state TEXT NOT NULL REFERENCES states (code),
    district INTEGER,
    party TEXT NOT NULL REFERENCES parties (id),
    in_congress_since TEXT NOT NULL,
    term_count INTEGER NOT NULL,
    leadership_roles TEXT,                -- a JSON array of titles
    url TEXT,
    phone TEXT,
    wikipedia TEXT,
    wikidata TEXT
);
CREATE TABLE terms (
    legislator_id TEXT NOT NULL REFERENCES legislators (id),
    start TEXT NOT NULL,
    end TEXT NOT NULL,
    chamber TEXT NOT NULL,
    state TEXT NOT NULL REFERENCES states (code),
    district INTEGER,
    class INTEGER,                        -- of senators: which third of the Senate is up for election together
    party TEXT NOT NULL REFERENCES parties (id),
    caucus TEXT,
    how TEXT,
    PRIMARY KEY (legislator_id, start)
);
CREATE TABLE committees (
    id TEXT PRIMARY KEY,                  -- THOMAS identifier; of subcommittees, after that of the committee
    name TEXT NOT NULL,
    chamber TEXT NOT NULL,
    parent_id TEXT REFERENCES committees (id),
    jurisdiction TEXT,
    url TEXT,
    address TEXT,
    phone TEXT
);
CREATE TABLE social_media (
    legislator_id TEXT NOT NULL REFERENCES legislators (id),
    service TEXT NOT NULL,
    account TEXT NOT NULL,
    account_id TEXT,
    PRIMARY KEY (legislator_id, service)
);
CREATE INDEX terms_by_start ON terms (start);
CREATE INDEX legislators_by_state ON legislators (state);
CREATE INDEX legislators_by_party ON legislators (party);
CREATE INDEX committees_by_parent ON committees (parent_id);
CREATE VIEW senators_by_seniority AS
    SELECT name, state, party, in_congress_since, term_count,
           CAST((julianday(in_congress_since) - julianday(birthday)) / 365.25 AS INTEGER) AS age_at_start
    FROM legislators
    WHERE chamber = 'Senate'
    ORDER BY in_congress_since, name;
"""

FTS = """
CREATE VIRTUAL TABLE legislators_fts USING fts5 (name, nickname, leadership_roles, wikipedia, content='legislators');
INSERT INTO legislators_fts (legislators_fts) VALUES ('rebuild');
INSERT INTO legislators_fts (legislators_fts) VALUES ('optimize');
"""

STATES = dict(pair.split("=") for pair in (
    "AL=Alabama;AK=Alaska;AZ=Arizona;AR=Arkansas;CA=California;CO=Colorado;CT=Connecticut;DE=Delaware;FL=Florida;"
    "GA=Georgia;HI=Hawaii;ID=Idaho;IL=Illinois;IN=Indiana;IA=Iowa;KS=Kansas;KY=Kentucky;LA=Louisiana;ME=Maine;"
    "MD=Maryland;MA=Massachusetts;MI=Michigan;MN=Minnesota;MS=Mississippi;MO=Missouri;MT=Montana;NE=Nebraska;"
    "NV=Nevada;NH=New Hampshire;NJ=New Jersey;NM=New Mexico;NY=New York;NC=North Carolina;ND=North Dakota;OH=Ohio;"
    "OK=Oklahoma;OR=Oregon;PA=Pennsylvania;RI=Rhode Island;SC=South Carolina;SD=South Dakota;TN=Tennessee;TX=Texas;"
    "UT=Utah;VT=Vermont;VA=Virginia;WA=Washington;WV=West Virginia;WI=Wisconsin;WY=Wyoming;DC=District of Columbia;"
    "AS=American Samoa;GU=Guam;MP=Northern Mariana Islands;PR=Puerto Rico;VI=Virgin Islands").split(";"))
CHAMBER = {"rep": "House", "sen": "Senate"}


def insert(db, table, rows):
    rows = list(rows)
    columns = list(rows[0])
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    db.executemany(sql, [[row[name] for name in columns] for row in rows])


def legislator(person):
    name, bio, last = person["name"], person["bio"], person["terms"][-1]
    roles = [role["title"] for role in person.get("leadership_roles", [])]
    return {
        "id": person["id"]["bioguide"],
        "name": name.get("official_full") or f"{name['first']} {name['last']}",
        "first_name": name["first"], "last_name": name["last"], "nickname": name.get("nickname"),
        "birthday": bio.get("birthday"), "gender": bio.get("gender"),
        "chamber": CHAMBER[last["type"]], "state": last["state"], "district": last.get("district"),
        "party": last["party"][0], "in_congress_since": person["terms"][0]["start"], "term_count": len(person["terms"]),
        "leadership_roles": json.dumps(roles, ensure_ascii=False) if roles else None,
        "url": last.get("url"), "phone": last.get("phone"),
        "wikipedia": person["id"].get("wikipedia"), "wikidata": person["id"].get("wikidata"),
    }


def terms(people):
    seen = set()
    for person in people:
        for term in person["terms"]:
            key = (person["id"]["bioguide"], term["start"])
            if key in seen:
                continue
            seen.add(key)
            yield {"legislator_id": key[0], "start": key[1], "end": term["end"], "chamber": CHAMBER[term["type"]],
                   "state": term["state"], "district": term.get("district"), "class": term.get("class"),
                   "party": term["party"][0], "caucus": term.get("caucus"), "how": term.get("how")}


def committees(items):
    for item in items:
        row = {"id": item["thomas_id"], "name": item["name"], "chamber": item["type"].capitalize(), "parent_id": None,
               "jurisdiction": item.get("jurisdiction"), "url": item.get("url"), "address": item.get("address"),
               "phone": item.get("phone")}
        yield row
        for sub in item.get("subcommittees", []):
            yield {**row, "id": item["thomas_id"] + sub["thomas_id"], "name": sub["name"], "parent_id": row["id"],
                   "jurisdiction": None, "url": None, "address": sub.get("address"), "phone": sub.get("phone")}


def social_media(items, known):
    for item in items:
        who, social = item["id"]["bioguide"], item["social"]
        for service in ("twitter", "facebook", "youtube", "instagram", "threads", "mastodon"):
            if who in known and service in social:
                number = social.get(service + "_id")
                yield {"legislator_id": who, "service": service, "account": social[service],
                       "account_id": None if number is None else str(number)}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else pathlib.Path(__file__).with_name("congress.db"))
    people, bodies, social = (json.loads((source / f"{name}.json").read_text(encoding="utf-8")) for name in
                              ("legislators-current", "committees-current", "legislators-social-media"))
    target.unlink(missing_ok=True)
    db = sqlite3.connect(target, isolation_level=None)
    db.executescript("PRAGMA page_size = 4096; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;" + SCHEMA)
    db.execute("BEGIN")
    used = sorted({term["party"] for person in people for term in person["terms"]})
    insert(db, "parties", ({"id": name[0], "name": name} for name in used))
    insert(db, "states", ({"code": code, "name": name} for code, name in sorted(STATES.items())))
    insert(db, "legislators", map(legislator, people))
    insert(db, "terms", terms(people))
    insert(db, "committees", committees(bodies))
    insert(db, "social_media", social_media(social, {person["id"]["bioguide"] for person in people}))
    db.execute("COMMIT")
    db.executescript("ANALYZE; VACUUM;" + FTS)  # the index counts on rowids, so it comes after VACUUM
    faults = db.execute("PRAGMA foreign_key_check").fetchall() + [
        row for row in db.execute("PRAGMA integrity_check") if row != ("ok",)]
    db.close()
    if faults:
        sys.exit(f"make_demo: the data does not fit together: {faults[:5]}")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
