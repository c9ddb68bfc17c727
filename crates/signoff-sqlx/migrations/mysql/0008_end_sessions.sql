-- What many sessions were unpacked from took longer than the statements that it saved.
DROP PROCEDURE signoff_end_sessions;
