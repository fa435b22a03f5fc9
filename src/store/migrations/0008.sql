-- The views of 0007 anew: for every SQLite that can read these tables (3.37), so without ->> and without an order within
-- group_concat. Of a run that was trained elsewhere, 0 stands for a number that nobody told: the views have NULL there. Its facts
-- name the settings that were told, as some of them may be 0.
DROP VIEW view_runs;
DROP VIEW view_points;
DROP VIEW view_evaluations;
DROP VIEW view_scores;
DROP VIEW view_norms;

-- What the other views have of each run. `told` is NULL where everything is known.
CREATE VIEW view_settings AS SELECT
    seq, run, name, task, method, model,
    CASE WHEN told IS NULL OR instr(told, ' seed ') THEN seed ELSE nullif(seed, 0) END AS seed,
    nullif(lr, 0) AS lr, told
FROM (SELECT
    seq, id AS run, name, json_extract(spec, '$.task') AS task, json_extract(spec, '$.method') AS method,
    json_extract(spec, '$.model') AS model, json_extract(spec, '$.seed') AS seed, json_extract(spec, '$.lr') AS lr,
    CASE WHEN json_extract(facts, '$.environment.imported') IS NOT NULL
        THEN ' ' || coalesce(json_extract(facts, '$.environment.told'), '') || ' ' END AS told
    FROM runs);

CREATE VIEW view_runs AS SELECT
    s.run, s.name, r.status, s.task, s.method, s.model, json_extract(r.spec, '$.data') AS data, s.seed, s.lr,
    nullif(json_extract(r.spec, '$.batch_size'), 0) AS batch_size,
    nullif(json_extract(r.spec, '$.epochs'), 0) AS epochs,
    nullif(json_extract(r.spec, '$.rank'), 0) AS rank,
    -- 0 is short for the rank.
    CASE WHEN json_extract(r.spec, '$.alpha') <> 0 THEN json_extract(r.spec, '$.alpha')
        WHEN s.told IS NULL OR instr(s.told, ' alpha ') THEN nullif(json_extract(r.spec, '$.rank'), 0) END * 1.0 AS alpha,
    (SELECT group_concat(value, '+') FROM json_each(r.spec, '$.targets')) AS targets,
    nullif(json_extract(r.spec, '$.max_length'), 0) AS max_length,
    CASE WHEN s.told IS NULL OR instr(s.told, ' weight_decay ') THEN json_extract(r.spec, '$.weight_decay')
        ELSE nullif(json_extract(r.spec, '$.weight_decay'), 0) END AS weight_decay,
    CASE WHEN s.told IS NULL OR instr(s.told, ' warmup_ratio ') THEN json_extract(r.spec, '$.warmup_ratio')
        ELSE nullif(json_extract(r.spec, '$.warmup_ratio'), 0) END AS warmup_ratio,
    CASE WHEN s.told IS NULL OR instr(s.told, ' train_rows ') THEN json_extract(r.spec, '$.train_rows')
        ELSE nullif(json_extract(r.spec, '$.train_rows'), 0) END AS asked_rows,
    r.device, json_extract(r.spec, '$.precision') AS precision,
    r.created, r.started, r.ended, r.step,
    nullif(json_extract(r.facts, '$.total_steps'), 0) AS total_steps,
    r.epoch, r.seconds, r.loss, json_extract(r.facts, '$.metric') AS metric, r.best, r.best_epoch, r.last, r.lambda,
    CASE WHEN s.told IS NULL THEN json_extract(r.facts, '$.adapter_parameters')
        ELSE nullif(json_extract(r.facts, '$.adapter_parameters'), 0) END AS adapter_parameters,
    CASE WHEN s.told IS NULL THEN json_extract(r.facts, '$.head_parameters')
        ELSE nullif(json_extract(r.facts, '$.head_parameters'), 0) END AS head_parameters,
    nullif(json_extract(r.facts, '$.train_rows'), 0) AS train_rows,
    nullif(json_extract(r.facts, '$.eval_rows'), 0) AS eval_rows,
    coalesce((SELECT group_concat(tag, ' ') FROM (SELECT tag FROM tags WHERE tags.run = r.seq ORDER BY tag)), '') AS tags,
    r.note, r.archived, r.cause, r.spec, r.facts
FROM runs r JOIN view_settings s ON s.seq = r.seq;

CREATE VIEW view_points AS SELECT
    s.run, s.name, s.task, s.method, s.model, s.seed, p.step, p.epoch, p.seconds, p.loss, p.lr, p.grad_norm, p.samples_per_second
FROM points p JOIN view_settings s ON s.seq = p.run;

CREATE VIEW view_evaluations AS SELECT
    s.run, s.name, s.task, s.method, s.model, s.seed, s.lr, e.step, e.epoch, e.loss, v.metric, v.value AS score,
    nullif(e.rows, 0) AS rows, nullif(e.seconds, 0) AS seconds
FROM evaluations e JOIN view_settings s ON s.seq = e.run
LEFT JOIN scores v ON v.run = e.run AND v.step = e.step AND v.place = 0;

CREATE VIEW view_scores AS SELECT
    s.run, s.name, s.task, s.method, s.model, s.seed, s.lr, v.step, e.epoch, v.metric, v.value, v.place = 0 AS main
FROM scores v JOIN view_settings s ON s.seq = v.run
LEFT JOIN evaluations e ON e.run = v.run AND e.step = v.step;

CREATE VIEW view_norms AS SELECT
    s.run, s.name, s.task, s.method, s.model, s.seed, s.lr, n.step, n.layer, n.target, n.lambda, n.w0_fro, n.w0_l1, n.delta_fro,
    n.lambda * n.w0_fro - n.delta_fro AS difference
FROM norms n JOIN view_settings s ON s.seq = n.run;

CREATE VIEW view_device AS SELECT
    s.run, s.name, s.task, s.method, s.model, s.seed, s.lr, d.step, d.seconds, d.utilisation, nullif(d.memory, 0) AS memory,
    nullif(d.memory_total, 0) AS memory_total, d.temperature, d.power
FROM device d JOIN view_settings s ON s.seq = d.run;
