-- What is known of each command of a build; apart from its events, because there may be thousands.
CREATE TABLE build_command (
    build    INTEGER NOT NULL REFERENCES build (row) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    command  TEXT NOT NULL,
    PRIMARY KEY (build, sequence)
) WITHOUT ROWID;
