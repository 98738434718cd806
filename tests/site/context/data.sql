create table kinds (id integer primary key, name text);
insert into kinds values (1, 'Toys'), (2, 'Boats & <ships>');
create table museums (
  id integer primary key, name text not null, kind integer references kinds(id), opened integer, height real, tags text,
  url text, photo blob, note text default 'x'
);
insert into museums values
  (1, 'Bigfoot <Museum>', 1, 2004, 1.5, '["big", "foot"]', 'https://example.com/?a=1&b=2', x'0001ff', null),
  (2, 'Boat House', 2, 1988, null, '["boat"]', 'http://example.com/a-rather-long-address/that-goes-on.jpg', null, ''),
  (3, 'Pencil "Room"', null, 1988, 3, '[]', null, x'', 'a'),
  (4, 'Tram', 9, 1901, 12.25, null, 'not a url', null, 'b');
create virtual table museums_fts using fts5(name, note, content="museums");
insert into museums_fts (museums_fts) values ('rebuild');
create table pairs (a text, b text, value integer, primary key (a, b));
insert into pairs values ('x/y', 'z', 1), ('x', 'é', 2);
create table plain (n integer);
insert into plain values (7), (8);
create table [odd name] (id integer primary key, [a column] text);
insert into [odd name] values (1, 'one');
create view old as select id, name, opened from museums where opened < 2000;
create index museums_opened on museums(opened);
