-- By which builds leave that have ended long ago.
CREATE INDEX build_ended ON build (submitted_at) WHERE live = 0;
