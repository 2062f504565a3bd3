-- What was done or refused, for the tenant's own eyes.

CREATE TABLE audit_event (
    id             INTEGER PRIMARY KEY,
    tenant         INTEGER NOT NULL REFERENCES tenant (id),
    created        INTEGER NOT NULL,
    category       TEXT NOT NULL,
    event_type     TEXT NOT NULL,
    outcome        TEXT NOT NULL,
    actor_identity INTEGER,
    resource_type  TEXT NOT NULL,
    resource_id    INTEGER,
    resource_ref   TEXT,
    details        TEXT NOT NULL
) STRICT;

CREATE INDEX audit_event_newest ON audit_event (tenant, created DESC, id DESC);
CREATE INDEX audit_event_resource ON audit_event (tenant, resource_type, resource_id);
