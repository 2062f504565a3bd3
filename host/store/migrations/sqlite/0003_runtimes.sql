-- What a worker runs, as JSON: languages with their versions.
-- `running` is counted from what is held when somebody asks; the column stays for servers of the
-- version before, which may share the database.

ALTER TABLE worker ADD COLUMN runtimes TEXT NOT NULL DEFAULT '[]';
