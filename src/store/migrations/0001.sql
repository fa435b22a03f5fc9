CREATE TABLE runs (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL,
    request     TEXT,
    device      TEXT NOT NULL,
    spec        TEXT NOT NULL,
    facts       TEXT NOT NULL DEFAULT '{}',
    created     REAL NOT NULL,
    started     REAL,
    ended       REAL,
    cause       TEXT,
    step        INTEGER NOT NULL DEFAULT 0,
    epoch       REAL NOT NULL DEFAULT 0,
    seconds     REAL NOT NULL DEFAULT 0,
    loss        REAL,
    last        REAL,
    best        REAL,
    best_epoch  REAL,
    lambda      REAL,
    version     INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_version ON runs (version);
CREATE INDEX runs_status ON runs (status);

-- The number of the last commit: what readers remember to ask for what is newer.
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO clock VALUES (1, 0);

CREATE TABLE removed (id TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
CREATE INDEX removed_version ON removed (version);

CREATE TABLE points (
    run                INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step               INTEGER NOT NULL,
    epoch              REAL NOT NULL,
    seconds            REAL NOT NULL,
    loss               REAL,
    lr                 REAL,
    grad_norm          REAL,
    samples_per_second REAL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

-- Bins of 8^level steps of one series; gaps counts values that are not finite.
CREATE TABLE pyramid (
    run    INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    series INTEGER NOT NULL,
    level  INTEGER NOT NULL,
    bin    INTEGER NOT NULL,
    low    REAL NOT NULL,
    high   REAL NOT NULL,
    sum    REAL NOT NULL,
    count  INTEGER NOT NULL,
    gaps   INTEGER NOT NULL,
    PRIMARY KEY (run, series, level, bin)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
    run     INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step    INTEGER NOT NULL,
    epoch   REAL NOT NULL,
    loss    REAL,
    rows    INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE scores (
    run      INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step     INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    metric   TEXT NOT NULL,
    value    REAL,
    PRIMARY KEY (run, step, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE norms (
    run       INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step      INTEGER NOT NULL,
    layer     INTEGER NOT NULL,
    target    TEXT NOT NULL,
    lambda    REAL,
    w0_fro    REAL,
    w0_l1     REAL,
    delta_fro REAL,
    -- Little-endian doubles.
    spectrum  BLOB NOT NULL,
    PRIMARY KEY (run, step, layer, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE logs (
    entry INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    time  REAL NOT NULL,
    level TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;
CREATE INDEX logs_run ON logs (run, entry);

CREATE TABLE artifacts (
    run   INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    path  TEXT NOT NULL,
    kind  TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;
