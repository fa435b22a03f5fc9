-- What a person asks in SQL: no JSON, stable names. `eigenscope sql` calls them runs, points and so on; src/store/views.rs tells
-- what each column holds.
CREATE VIEW view_runs AS SELECT
    r.id AS run, r.name, r.status,
    r.spec ->> 'task' AS task, r.spec ->> 'method' AS method, r.spec ->> 'model' AS model, r.spec ->> 'data' AS data,
    r.spec ->> 'seed' AS seed, r.spec ->> 'lr' AS lr, r.spec ->> 'batch_size' AS batch_size, r.spec ->> 'epochs' AS epochs,
    r.spec ->> 'rank' AS rank, iif(r.spec ->> 'alpha' = 0, r.spec ->> 'rank', r.spec ->> 'alpha') * 1.0 AS alpha,
    (SELECT group_concat(value, '+') FROM json_each(r.spec, '$.targets')) AS targets,
    r.spec ->> 'max_length' AS max_length, r.spec ->> 'weight_decay' AS weight_decay,
    r.spec ->> 'warmup_ratio' AS warmup_ratio, r.spec ->> 'train_rows' AS asked_rows,
    r.device, r.spec ->> 'precision' AS precision,
    r.created, r.started, r.ended, r.step, r.facts ->> 'total_steps' AS total_steps, r.epoch, r.seconds,
    r.loss, r.facts ->> 'metric' AS metric, r.best, r.best_epoch, r.last, r.lambda,
    r.facts ->> 'adapter_parameters' AS adapter_parameters, r.facts ->> 'head_parameters' AS head_parameters,
    r.facts ->> 'train_rows' AS train_rows, r.facts ->> 'eval_rows' AS eval_rows,
    (SELECT group_concat(tag, ' ' ORDER BY tag) FROM tags WHERE tags.run = r.seq) AS tags,
    r.note, r.archived, r.cause, r.spec, r.facts
FROM runs r;

CREATE VIEW view_points AS SELECT
    r.id AS run, r.name, r.spec ->> 'task' AS task, r.spec ->> 'method' AS method, r.spec ->> 'model' AS model,
    r.spec ->> 'seed' AS seed, p.step, p.epoch, p.seconds, p.loss, p.lr, p.grad_norm, p.samples_per_second
FROM points p JOIN runs r ON r.seq = p.run;

CREATE VIEW view_evaluations AS SELECT
    r.id AS run, r.name, r.spec ->> 'task' AS task, r.spec ->> 'method' AS method, r.spec ->> 'model' AS model,
    r.spec ->> 'seed' AS seed, r.spec ->> 'lr' AS lr, e.step, e.epoch, e.loss, s.metric, s.value AS score, e.rows, e.seconds
FROM evaluations e JOIN runs r ON r.seq = e.run
LEFT JOIN scores s ON s.run = e.run AND s.step = e.step AND s.place = 0;

CREATE VIEW view_scores AS SELECT
    r.id AS run, r.name, r.spec ->> 'task' AS task, r.spec ->> 'method' AS method, r.spec ->> 'model' AS model,
    r.spec ->> 'seed' AS seed, r.spec ->> 'lr' AS lr, s.step, e.epoch, s.metric, s.value, s.place = 0 AS main
FROM scores s JOIN runs r ON r.seq = s.run
LEFT JOIN evaluations e ON e.run = s.run AND e.step = s.step;

CREATE VIEW view_norms AS SELECT
    r.id AS run, r.name, r.spec ->> 'task' AS task, r.spec ->> 'method' AS method, r.spec ->> 'model' AS model,
    r.spec ->> 'seed' AS seed, r.spec ->> 'lr' AS lr, n.step, n.layer, n.target, n.lambda, n.w0_fro, n.w0_l1, n.delta_fro,
    n.lambda * n.w0_fro - n.delta_fro AS difference
FROM norms n JOIN runs r ON r.seq = n.run;
