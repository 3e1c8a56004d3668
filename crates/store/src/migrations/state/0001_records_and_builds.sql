-- The last version given to a record: versions never repeat, not even for a key made anew.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('record_version', 0);

CREATE TABLE record (
    collection TEXT NOT NULL,
    region     TEXT NOT NULL,
    key        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL,
    UNIQUE (collection, region, key)
);

CREATE TABLE build (
    row            INTEGER PRIMARY KEY AUTOINCREMENT,
    region         TEXT NOT NULL,
    id             TEXT NOT NULL,
    project        TEXT NOT NULL,
    number         INTEGER NOT NULL,
    submitted_at   INTEGER NOT NULL,
    next_sequence  INTEGER NOT NULL,
    journal_offset INTEGER NOT NULL,
    live           INTEGER NOT NULL,
    state          TEXT NOT NULL,
    UNIQUE (region, id)
);
CREATE INDEX build_by_time ON build (region, submitted_at, row, id);
CREATE INDEX build_by_number ON build (region, project, number, row, id, submitted_at);
CREATE INDEX build_live ON build (row) WHERE live = 1;

-- Apart from the build, so that a new snapshot does not write the request again.
CREATE TABLE build_request (
    build   INTEGER PRIMARY KEY REFERENCES build (row) ON DELETE CASCADE,
    request TEXT NOT NULL
);

CREATE TABLE build_event (
    build    INTEGER NOT NULL REFERENCES build (row) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    event    TEXT NOT NULL,
    PRIMARY KEY (build, sequence)
) WITHOUT ROWID;
