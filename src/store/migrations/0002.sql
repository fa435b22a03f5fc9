-- What the device of a run was doing, every few seconds; NULL where it does not tell.
CREATE TABLE device (
    run          INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step         INTEGER NOT NULL,
    seconds      REAL NOT NULL,
    utilisation  REAL,
    memory       INTEGER NOT NULL,
    memory_total INTEGER NOT NULL,
    temperature  REAL,
    power        REAL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;
