-- Values and secrets, sealed, and what seals them.

-- `wrapped` is the data key under the master key with the fingerprint `master`; the database never
-- holds that. The one that is not retired seals, the others only open.
CREATE TABLE data_key (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant  INTEGER NOT NULL REFERENCES tenant (id),
    master  TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created INTEGER NOT NULL,
    retired INTEGER
) STRICT;

CREATE UNIQUE INDEX data_key_current ON data_key (tenant) WHERE retired IS NULL;
CREATE INDEX data_key_retired ON data_key (id) WHERE retired IS NOT NULL;

-- `owner` is the owner as one text, null of the system. A key goes with its owner.
CREATE TABLE key (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant         INTEGER NOT NULL REFERENCES tenant (id),
    ref            TEXT NOT NULL,
    name           TEXT NOT NULL,
    owner_type     TEXT NOT NULL,
    owner          TEXT,
    owner_identity INTEGER REFERENCES identity (id) ON DELETE CASCADE,
    owner_pack     INTEGER REFERENCES pack (id) ON DELETE CASCADE,
    owner_action   INTEGER REFERENCES action (id) ON DELETE CASCADE,
    pack_ref       TEXT,
    encrypted      INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    expires_at     INTEGER,
    created        INTEGER NOT NULL,
    updated        INTEGER NOT NULL,
    data_key       INTEGER NOT NULL REFERENCES data_key (id),
    value          BLOB NOT NULL,
    UNIQUE (tenant, ref)
) STRICT;

CREATE INDEX key_owner ON key (tenant, owner_type, owner);
CREATE INDEX key_owner_identity ON key (owner_identity) WHERE owner_identity IS NOT NULL;
CREATE INDEX key_owner_pack ON key (owner_pack) WHERE owner_pack IS NOT NULL;
CREATE INDEX key_owner_action ON key (owner_action) WHERE owner_action IS NOT NULL;
CREATE INDEX key_expiry ON key (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX key_data_key ON key (data_key, id);
