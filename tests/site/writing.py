# SPDX-License-Identifier: Apache-2.0
"""What the tests of writing share: tokens, a small database, requests of JSON."""
import base64
import hashlib
import hmac
import json
import sqlite3
import time

import serving

SECRET = "secret of the tests"

SCHEMA = """
create table docs (id integer primary key, title text, score float, age integer);
insert into docs values (1, 'First', 1.5, 10), (2, 'Second', 2.5, 20), (3, 'Third', null, null);
create table owners (id integer primary key, name text);
insert into owners values (1, 'Cleo'), (2, 'Pancakes');
create table pets (id integer primary key, name text not null, owner_id integer references owners(id),
  chip text unique, photo blob, made text default current_timestamp);
insert into pets (name, owner_id, chip) values ('Rex', 1, 'c1');
create table pairs (a text, b integer, val text, primary key (a, b));
insert into pairs values ('p/q', 2, 'slash');
create table nopk (name text, n integer);
insert into nopk values ('n1', 1);
create view titles as select title from docs;
"""


def make(path, sql=SCHEMA):
    with sqlite3.connect(path) as db:
        db.executescript(sql)
    db.close()
    return path


def signed(payload, namespace):
    text = base64.urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).rstrip(b"=")
    key = hashlib.sha1(namespace.encode() + b"signer" + SECRET.encode()).digest()
    mark = base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha1).digest()).rstrip(b"=")
    return (text + b"." + mark).decode()


def bearer(actor="root", **more):
    return {"Authorization": "Bearer dstok_" + signed({"a": actor, "t": int(time.time()), **more}, "token")}


def cookie(actor="root"):
    return {"Cookie": "ds_actor=" + signed({"a": {"id": actor}}, "actor")}


class Site(serving.Server):
    """Asks as root, in JSON."""

    def post(self, path, body, status=None, headers=None):
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        answer = self.ask("POST", path, {**(bearer() if headers is None else headers),
                                         "Content-Type": "application/json"}, text)
        if status is not None:
            assert answer.status == status, (path, answer)
            assert answer.header("content-type").startswith("application/json"), answer
        return answer

    def form(self, path, headers=None, **fields):
        import urllib.parse
        return self.ask("POST", path, {**(cookie() if headers is None else headers),
                                       "Content-Type": "application/x-www-form-urlencoded"},
                        urllib.parse.urlencode(fields))

    def rows(self, table, database="data"):
        return self.json(f"/{database}/{table}.json?_shape=array&_size=max")


def serve(path, *more, **options):
    return Site(path, "--root", "--secret", SECRET, *more, **options).wait()
