-- The signing keys that all nodes share: one JSON text. Its times are readable, its private parts are sealed, and a
-- change by hand is noticed and refused. At most one row.
CREATE TABLE signoff_key_ring (
    id               integer NOT NULL PRIMARY KEY CHECK (id = 1),
    version          bigint  NOT NULL,  -- how often it was saved
    document         text    NOT NULL
);
