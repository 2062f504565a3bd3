-- Times are microseconds since 1970 UTC, JSON is text, booleans are 0 or 1.
-- Every row of tenant data names its tenant. Only `tenant`, `worker` and the
-- migrator's own table belong to the installation.
-- Ids that other rows or a cache may remember are never used twice (AUTOINCREMENT).

CREATE TABLE tenant (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO tenant (id, name) VALUES (0, 'shared'), (1, 'default');

CREATE TABLE identity (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant        INTEGER NOT NULL REFERENCES tenant (id),
    login         TEXT NOT NULL UNIQUE,
    display_name  TEXT,
    password_hash TEXT,
    frozen        INTEGER NOT NULL DEFAULT 0,
    attributes    TEXT NOT NULL DEFAULT '{}',
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    tenant     INTEGER NOT NULL REFERENCES tenant (id),
    identity   INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX token_identity ON token (identity);
CREATE INDEX token_expiry ON token (expires_at);

CREATE TABLE pack (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       INTEGER NOT NULL REFERENCES tenant (id),
    ref          TEXT NOT NULL,
    label        TEXT NOT NULL,
    description  TEXT,
    version      TEXT NOT NULL,
    conf_schema  TEXT NOT NULL,
    config       TEXT NOT NULL,
    meta         TEXT NOT NULL,
    tags         TEXT NOT NULL,
    runtime_deps TEXT NOT NULL,
    dependencies TEXT NOT NULL,
    is_standard  INTEGER NOT NULL,
    created_by   INTEGER,
    digest       TEXT,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    UNIQUE (tenant, ref),
    UNIQUE (tenant, id)
) STRICT;

-- `retired` is when no installed pack named the version any more.
CREATE TABLE pack_version (
    tenant  INTEGER NOT NULL REFERENCES tenant (id),
    digest  TEXT NOT NULL,
    created INTEGER NOT NULL,
    retired INTEGER,
    archive BLOB NOT NULL,
    UNIQUE (tenant, digest)
) STRICT;

CREATE TABLE permission_set (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      INTEGER NOT NULL,
    pack        INTEGER NOT NULL,
    ref         TEXT NOT NULL,
    label       TEXT,
    description TEXT,
    grants      TEXT NOT NULL,
    UNIQUE (tenant, ref),
    FOREIGN KEY (tenant, pack) REFERENCES pack (tenant, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX permission_set_pack ON permission_set (tenant, pack);

-- By ref, so that an identity can be given a set before its pack is installed.
CREATE TABLE permission_assignment (
    tenant         INTEGER NOT NULL REFERENCES tenant (id),
    identity       INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
    permission_set TEXT NOT NULL,
    PRIMARY KEY (identity, permission_set)
) STRICT, WITHOUT ROWID;

CREATE INDEX permission_assignment_set ON permission_assignment (permission_set);

CREATE TABLE action (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant                  INTEGER NOT NULL,
    ref                     TEXT NOT NULL,
    pack                    INTEGER NOT NULL,
    pack_ref                TEXT NOT NULL,
    label                   TEXT NOT NULL,
    description             TEXT,
    entrypoint              TEXT NOT NULL,
    runtime_ref             TEXT,
    param_schema            TEXT,
    out_schema              TEXT,
    is_adhoc                INTEGER NOT NULL,
    accesses_mcp            INTEGER NOT NULL,
    default_permission_sets TEXT NOT NULL,
    extra                   TEXT NOT NULL,
    run                     TEXT NOT NULL,
    created                 INTEGER NOT NULL,
    updated                 INTEGER NOT NULL,
    UNIQUE (tenant, ref),
    FOREIGN KEY (tenant, pack) REFERENCES pack (tenant, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX action_pack ON action (tenant, pack);

CREATE TABLE worker (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    seen INTEGER NOT NULL
) STRICT;

-- `redacted_config` is null where nothing of `config` is secret.
-- What lists show stands before what may be large, so that they need not read over it.
-- `action` is no foreign key: readers take an id without a row for "deleted", so that
-- deleting an action need not touch all of its history.
CREATE TABLE execution (
    id                  INTEGER PRIMARY KEY,
    tenant              INTEGER NOT NULL REFERENCES tenant (id),
    action              INTEGER NOT NULL,
    action_ref          TEXT NOT NULL,
    parent              INTEGER,
    executor            INTEGER,
    status              TEXT NOT NULL,
    version             INTEGER NOT NULL,
    worker              INTEGER,
    starts              INTEGER NOT NULL,
    started_at          INTEGER,
    created             INTEGER NOT NULL,
    updated             INTEGER NOT NULL,
    permission_set_refs TEXT,
    extra               TEXT NOT NULL,
    env_vars            TEXT NOT NULL,
    config              TEXT,
    redacted_config     TEXT,
    result              TEXT
) STRICT;

CREATE INDEX execution_newest ON execution (tenant, created DESC, id DESC);
CREATE INDEX execution_action ON execution (tenant, action_ref, created DESC, id DESC);
CREATE INDEX execution_status ON execution (tenant, status);
CREATE INDEX execution_parent ON execution (parent) WHERE parent IS NOT NULL;
CREATE INDEX execution_queue ON execution (id) WHERE status = 'requested';
CREATE INDEX execution_held ON execution (worker)
    WHERE status IN ('scheduled', 'running', 'canceling');

-- Idempotency keys of the last 24 hours. `executor` is 0 where there is none.
CREATE TABLE execution_key (
    tenant         INTEGER NOT NULL REFERENCES tenant (id),
    executor       INTEGER NOT NULL,
    key            TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    execution      INTEGER NOT NULL REFERENCES execution (id) ON DELETE CASCADE,
    created        INTEGER NOT NULL,
    PRIMARY KEY (tenant, executor, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX execution_key_created ON execution_key (created);
CREATE INDEX execution_key_execution ON execution_key (execution);

CREATE TABLE execution_log (
    tenant       INTEGER NOT NULL REFERENCES tenant (id),
    execution    INTEGER NOT NULL REFERENCES execution (id) ON DELETE CASCADE,
    stream       TEXT NOT NULL,
    start_offset INTEGER NOT NULL,
    bytes        BLOB NOT NULL,
    UNIQUE (execution, stream, start_offset)
) STRICT;
