-- The largest number that a deleted build of each project had: no other build of it gets that number.
-- Those of the builds that are there stand in their rows.
CREATE TABLE number_deleted (
    region  TEXT NOT NULL,
    project TEXT NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (region, project)
) WITHOUT ROWID;

-- Before, there was a record of each project's last number.
INSERT INTO number_deleted
SELECT region, key, CAST(document AS INTEGER) FROM record WHERE collection = 'build-number';
DELETE FROM record WHERE collection = 'build-number';
