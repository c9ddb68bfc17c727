-- The nodes that answer from their copies of the log. A node makes its row when it joins, renews it while it answers, and
-- deletes it when it leaves; a row that has not changed for a lease and an eighth is deleted by whoever waits for it.
CREATE TABLE signoff_node (
    id               bytea   NOT NULL PRIMARY KEY,
    name             text    NOT NULL,  -- for people
    renewals         bigint  NOT NULL,  -- only grows
    applied          bigint  NOT NULL   -- position
) WITH (fillfactor = 25);
-- How long the leases of all nodes are, in microseconds. NULL: one process at a time has the database. Set it to NULL when
-- all nodes are stopped, and one process may have it again.
ALTER TABLE signoff_meta ADD COLUMN lease bigint;
