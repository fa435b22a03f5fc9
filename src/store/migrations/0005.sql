-- Scores on test rows, as a person was told them.
CREATE TABLE test_scores (
    task   TEXT NOT NULL,
    method TEXT NOT NULL,
    model  TEXT NOT NULL,
    data   TEXT NOT NULL,
    score  REAL NOT NULL,
    rows   INTEGER,
    PRIMARY KEY (task, method, model, data)
) STRICT, WITHOUT ROWID;
