-- The nodes that answer from their copies of the log. A node makes its row when it joins, renews it while it answers, and
-- deletes it when it leaves; a row that has not changed for a lease and an eighth is deleted by whoever waits for it.
CREATE TABLE signoff_node (
    id               BINARY(16)     NOT NULL PRIMARY KEY,
    name             VARBINARY(255) NOT NULL,  -- for people
    renewals         BIGINT         NOT NULL,  -- only grows
    applied          BIGINT         NOT NULL   -- position
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
-- How long the leases of all nodes are, in microseconds. NULL: one process at a time has the database. Set it to NULL when
-- all nodes are stopped, and one process may have it again.
ALTER TABLE signoff_meta ADD COLUMN lease BIGINT;
