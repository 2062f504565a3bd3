-- Who holds an execution is known by a lease, of which a worker has one at a time.

ALTER TABLE worker ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN running INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN places INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN cordoned_at INTEGER;
ALTER TABLE worker ADD COLUMN cordoned_by INTEGER;
ALTER TABLE worker ADD COLUMN cordon_reason TEXT;

UPDATE worker SET created = seen, updated = seen;

-- `home` tells the folder in which the worker's process lives, which no two processes share.
CREATE TABLE lease (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    worker  INTEGER NOT NULL REFERENCES worker (id),
    home    TEXT NOT NULL,
    beat    INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    ended   INTEGER
) STRICT;

CREATE UNIQUE INDEX lease_live ON lease (worker) WHERE ended IS NULL;

-- What all servers of an installation have to agree on.
CREATE TABLE installation (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

ALTER TABLE execution ADD COLUMN lease INTEGER;

-- Tenants take turns in the queue.
DROP INDEX execution_queue;
CREATE INDEX execution_queue ON execution (tenant, id) WHERE status = 'requested';

DROP INDEX execution_held;
CREATE INDEX execution_held ON execution (lease)
    WHERE status IN ('scheduled', 'running', 'canceling');

-- What is held already is held under a lease that has ended: the next start settles it.
INSERT INTO lease (worker, home, beat, granted, ended)
    SELECT id, '', 0, seen, seen FROM worker;
UPDATE execution SET lease = (SELECT lease.id FROM lease WHERE lease.worker = execution.worker)
    WHERE status IN ('scheduled', 'running', 'canceling');
