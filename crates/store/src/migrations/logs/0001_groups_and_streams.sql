-- Single values, such as the boot of the machine in which the files were last written.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Ids are never given twice: folders and files are named after them.
CREATE TABLE log_group (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    class          TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    retention_days INTEGER,
    stored_bytes   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (region, name)
);

CREATE TABLE log_group_tag (
    log_group INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (log_group, key)
) WITHOUT ROWID;

CREATE TABLE log_stream (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group        INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    first_event_at   INTEGER,
    last_event_at    INTEGER,
    last_ingested_at INTEGER,
    stored_bytes     INTEGER NOT NULL DEFAULT 0,
    source           INTEGER,
    -- Whether the file may be ahead of what stands here.
    marked           INTEGER NOT NULL DEFAULT 0,
    UNIQUE (log_group, name)
);
CREATE INDEX log_stream_by_last_event
    ON log_stream (log_group, coalesce(last_event_at, 0), name);
CREATE INDEX log_stream_marked ON log_stream (id) WHERE marked = 1;

CREATE TRIGGER log_stream_grows AFTER UPDATE OF stored_bytes ON log_stream
WHEN new.stored_bytes <> old.stored_bytes
BEGIN
    UPDATE log_group SET stored_bytes = stored_bytes + new.stored_bytes - old.stored_bytes
    WHERE id = new.log_group;
END;
CREATE TRIGGER log_stream_goes AFTER DELETE ON log_stream WHEN old.stored_bytes > 0
BEGIN
    UPDATE log_group SET stored_bytes = stored_bytes - old.stored_bytes
    WHERE id = old.log_group;
END;
