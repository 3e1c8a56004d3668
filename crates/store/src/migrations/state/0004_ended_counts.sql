-- How many builds have ended and what they took: counted in the transaction that ends each of them,
-- and kept when they leave.
CREATE TABLE ended_hour (
    region    TEXT NOT NULL,
    hour      INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    stopped   INTEGER NOT NULL,
    millis    INTEGER NOT NULL,
    PRIMARY KEY (region, hour)
) WITHOUT ROWID;

CREATE TABLE ended_day (
    region    TEXT NOT NULL,
    day       INTEGER NOT NULL,
    project   TEXT NOT NULL,
    class     TEXT NOT NULL,
    succeeded INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    stopped   INTEGER NOT NULL,
    millis    INTEGER NOT NULL,
    minutes   INTEGER NOT NULL,
    PRIMARY KEY (region, day, project, class)
) WITHOUT ROWID;

-- The builds that had ended before there were counts, as their documents of that time tell of them.
CREATE TEMP TABLE ended_before AS
WITH told AS MATERIALIZED (
    SELECT build.region, build.project, build.state, build_request.request
    FROM build JOIN build_request ON build_request.build = build.row
    WHERE build.live = 0 AND json_valid(build.state) AND json_valid(build_request.request)
)
SELECT region, project,
       coalesce(json_extract(request, '$.project.environment.computeType'), '') AS class,
       json_extract(state, '$.stage.status') AS status,
       json_extract(state, '$.stage.at') / 1000 AS ended_at,
       coalesce(max(0, json_extract(state, '$.stage.at') - (
           SELECT json_extract(phase.value, '$.started_at') FROM json_each(state, '$.phases') AS phase
           WHERE json_extract(phase.value, '$.phase') = 'PROVISIONING'
       )) / 1000, 0) AS millis
FROM told WHERE json_extract(state, '$.stage.at') IS NOT NULL;

INSERT INTO ended_hour
SELECT region, ended_at / 3600000, sum(status = 'SUCCEEDED'),
       sum(status NOT IN ('SUCCEEDED', 'STOPPED')), sum(status = 'STOPPED'), sum(millis)
FROM ended_before GROUP BY region, ended_at / 3600000;

INSERT INTO ended_day
SELECT region, ended_at / 86400000, project, class, sum(status = 'SUCCEEDED'),
       sum(status NOT IN ('SUCCEEDED', 'STOPPED')), sum(status = 'STOPPED'), sum(millis),
       sum((millis + 59999) / 60000)
FROM ended_before GROUP BY region, ended_at / 86400000, project, class;

DROP TABLE ended_before;
