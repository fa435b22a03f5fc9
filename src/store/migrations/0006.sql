-- What was learnt of a run's adapter by taking parts away: of each kind the newest, as JSON.
CREATE TABLE analyses (
    run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (run, kind)
) STRICT, WITHOUT ROWID;
