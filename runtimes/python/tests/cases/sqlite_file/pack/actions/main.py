"""SQLite in memory and in a file of the scratch space."""

import sqlite3

for place in (":memory:", "/tmp/test.db"):
    with sqlite3.connect(place) as connection:
        connection.execute("create table t (id integer primary key, name text)")
        connection.executemany("insert into t (name) values (?)", [("a",), ("b",)])
    print(connection.execute("select count(*), max(name) from t").fetchone())
    connection.close()
with sqlite3.connect("/tmp/test.db") as connection:
    print(connection.execute("select name from t order by id").fetchall())
