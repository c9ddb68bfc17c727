-- The signing keys that all nodes share: one JSON text. Its times are readable, its private parts are sealed, and a
-- change by hand is noticed and refused. At most one row.
CREATE TABLE signoff_key_ring (
    id               INT      NOT NULL PRIMARY KEY,  -- 1
    version          BIGINT   NOT NULL,  -- how often it was saved
    document         LONGTEXT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
