//! The views that a person asks in SQL, column by column. The views themselves are made by a migration, under these names with
//! `view_` before them. Of a run that was trained elsewhere, a number that nobody told is NULL.

use serde::Serialize;

/// A table that is made of the store's own.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SqlView {
    pub name: &'static str,
    pub about: &'static str,
    pub columns: &'static [Column],
}

/// A column: its name, what it holds (`text`, `integer`, `real`), the unit where it has one, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Column {
    pub name: &'static str,
    pub kind: &'static str,
    pub unit: &'static str,
    pub about: &'static str,
}

const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: "text", unit: "", about }
}

const fn integer(name: &'static str, unit: &'static str, about: &'static str) -> Column {
    Column { name, kind: "integer", unit, about }
}

const fn real(name: &'static str, unit: &'static str, about: &'static str) -> Column {
    Column { name, kind: "real", unit, about }
}

const RUN: Column = text("run", "id of the run, the same in every view");
const NAME: Column = text("name", "name of the run");
const TASK: Column = text("task", "task of the run");
const METHOD: Column = text("method", "adapter method");
const MODEL: Column = text("model", "mini-roberta, or the folder of the model");
const SEED: Column = integer("seed", "", "seed of initial values, order and dropout");
const LR: Column = real("lr", "", "peak learning rate of the run");
const STEP: Column = integer("step", "steps", "optimizer steps done by then, counted from 1");
const EPOCH: Column = real("epoch", "epochs", "passes over the training rows by then");

/// What every view but that of the runs begins with, and then these.
macro_rules! of_run {
    ($($column:expr),* $(,)?) => { &[RUN, NAME, TASK, METHOD, MODEL, SEED, $($column),*] };
}

/// Every view.
pub const VIEWS: &[SqlView] = &[
    SqlView {
        name: "runs",
        about: "a row for each run: settings, how far it came, what it scored; a number that is not known of an imported run is empty",
        columns: &[
            RUN,
            NAME,
            text("status", "queued, running, paused, done, stopped, cancelled, failed or interrupted"),
            TASK,
            METHOD,
            MODEL,
            text("data", "folder of the rows; empty: the embedded sample"),
            SEED,
            LR,
            integer("batch_size", "rows", "rows in a batch"),
            integer("epochs", "epochs", "passes that were asked for"),
            integer("rank", "", "rank r of the adapter"),
            real("alpha", "", "alpha as used: the update is scaled by alpha / rank"),
            text("targets", "adapted matrices joined by +"),
            integer("max_length", "tokens", "longest row"),
            real("weight_decay", "", "decoupled weight decay"),
            real("warmup_ratio", "", "share of the steps with rising learning rate"),
            integer("asked_rows", "rows", "training rows that were asked for; 0: all"),
            text("device", "device that trains: cpu, cuda:0 and so on"),
            text("precision", "what a GPU multiplies in"),
            real("created", "Unix s", "when it was made; datetime(created, 'unixepoch') is a date"),
            real("started", "Unix s", "when it first began"),
            real("ended", "Unix s", "when it ended"),
            integer("step", "steps", "optimizer steps done"),
            integer("total_steps", "steps", "optimizer steps of the whole run"),
            real("epoch", "epochs", "passes done"),
            real("seconds", "s", "time of training without pauses"),
            real("loss", "nats", "last training loss"),
            text("metric", "main metric of the task"),
            real("best", "", "best value of the main metric on validation rows, 0 to 1 or -1 to 1"),
            real("best_epoch", "epochs", "when that was"),
            real("last", "", "its last value"),
            real("lambda", "", "mean lambda over the adapted matrices at the last record"),
            integer("adapter_parameters", "", "trained values of the adapter as the paper counts them"),
            integer("head_parameters", "", "trained values of the head"),
            integer("train_rows", "rows", "training rows in use"),
            integer("eval_rows", "rows", "validation rows"),
            text("tags", "its tags with spaces between them; empty without"),
            text("note", "what a person noted"),
            integer("archived", "", "1 where it was put away"),
            text("cause", "why it failed"),
            text("spec", "every setting, as JSON"),
            text("facts", "what it was made of, as JSON"),
        ],
    },
    SqlView {
        name: "points",
        about: "a row for each recorded optimizer step",
        columns: of_run![
            STEP,
            EPOCH,
            real("seconds", "s", "time of training by then, without pauses"),
            real("loss", "nats", "mean loss of the batch before the update; empty where it was not a number"),
            real("lr", "", "learning rate of this step"),
            real("grad_norm", "", "L2 norm of the gradient before clipping"),
            real("samples_per_second", "rows/s", "training rows a second"),
        ],
    },
    SqlView {
        name: "evaluations",
        about: "a row for each pass over the validation rows, with the main metric",
        columns: of_run![
            LR,
            STEP,
            EPOCH,
            real("loss", "nats", "mean loss over the validation rows"),
            text("metric", "main metric of the task"),
            real("score", "", "its value"),
            integer("rows", "rows", "validation rows"),
            real("seconds", "s", "time that this pass took"),
        ],
    },
    SqlView {
        name: "scores",
        about: "a row for each metric of each evaluation",
        columns: of_run![
            LR,
            STEP,
            EPOCH,
            text("metric", "accuracy, f1, matthews, pearson, spearman"),
            real("value", "", "0 to 1, or -1 to 1; empty where it is not defined"),
            integer("main", "", "1 for the main metric of the task"),
        ],
    },
    SqlView {
        name: "norms",
        about: "a row for each adapted matrix at each step at which norms were recorded",
        columns: of_run![
            LR,
            STEP,
            integer("layer", "", "layer of the encoder, counted from 0"),
            text("target", "query, key, value or output"),
            real("lambda", "", "lambda; 1 for methods without"),
            real("w0_fro", "", "Frobenius norm of the frozen W0"),
            real("w0_l1", "", "sum of the absolute values of W0"),
            real("delta_fro", "", "Frobenius norm of the update, alpha / rank included"),
            real("difference", "", "lambda times w0_fro, less delta_fro"),
        ],
    },
    SqlView {
        name: "device",
        about: "a row for each look at the device that trained, every few seconds",
        columns: of_run![
            LR,
            STEP,
            real("seconds", "s", "time of training by then, without pauses"),
            real(
                "utilisation",
                "",
                "share of the last moments in which it worked, 0 to 1; empty where it does not tell"
            ),
            integer("memory", "bytes", "memory in use"),
            integer("memory_total", "bytes", "memory in all"),
            real("temperature", "deg C", "temperature; empty where it does not tell"),
            real("power", "W", "power; empty where it does not tell"),
        ],
    },
];
