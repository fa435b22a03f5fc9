-- Turn in the queue: of the queued runs the one with the lowest is taken first. A run's number until it is moved.
ALTER TABLE runs ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET position = seq;
