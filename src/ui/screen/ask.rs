//! What the keys that change runs lead to, the same on every screen: for one run, or for several of which those that cannot be
//! meant are left out.

use super::Effect;
use crate::event::{Control, RunId, Status};
use crate::record::{Label, RunSummary};
use crate::ui::action::Action;
use crate::ui::prompt::Prompt;
use crate::untrusted::harmless;
use crate::view::Request;

/// The effect of `action` on `runs`.
pub(super) fn ask(action: Action, runs: &[&RunSummary]) -> Effect {
    if runs.is_empty() {
        return Effect::None;
    }
    let prompt = |prompt: Prompt| Effect::Prompt(Box::new(prompt));
    match action {
        Action::Stop => control(runs, Control::Stop, "only queued and running runs can be stopped", |s| {
            s.is_live() || s == Status::Queued
        }),
        Action::Pause => {
            control(runs, Control::Pause, "only running runs pause; x takes a queued one out of the queue", |s| {
                s == Status::Running
            })
        }
        Action::Resume => resume(runs),
        Action::Cancel => cancel(runs),
        Action::Delete => delete(runs),
        Action::Archive => archive(runs),
        Action::Copy => Effect::Copy(runs.iter().map(|r| r.id.to_string()).collect::<Vec<_>>().join(" ")),
        Action::CopySpec => Effect::Copy(runs.iter().map(|r| r.spec.to_toml()).collect::<Vec<_>>().join("\n")),
        Action::EditTags => prompt(Prompt::tags(runs)),
        Action::EditNote => prompt(Prompt::note(runs)),
        Action::Rename => prompt(Prompt::name(runs)),
        _ => Effect::None,
    }
}

/// None of the runs is in a state in which `action` would do something.
pub(super) fn idle(action: Action, runs: &[&RunSummary]) -> bool {
    let none = |fits: fn(Status) -> bool| !runs.iter().any(|r| fits(r.status));
    match action {
        Action::Stop | Action::Cancel => none(|s| s.is_live() || s == Status::Queued),
        Action::Pause => none(|s| s == Status::Running),
        Action::Resume => none(|s| s == Status::Paused || s.is_resumable()),
        _ => runs.is_empty(),
    }
}

/// Ids of the runs that `fits`.
fn fitting(runs: &[&RunSummary], fits: impl Fn(Status) -> bool) -> Vec<RunId> {
    runs.iter().filter(|r| fits(r.status)).map(|r| r.id.clone()).collect()
}

/// What stands in the way of all of `runs`.
fn unfit(runs: &[&RunSummary], expected: &str) -> Effect {
    Effect::Say(match runs {
        [only] => format!("{} is {}: {expected}", only.id, only.status),
        _ => format!("none of the {} runs: {expected}", runs.len()),
    })
}

/// `r0003 (name)`, or `3 runs` and how many of all that leaves out.
fn named(runs: &[&RunSummary], ids: &[RunId]) -> String {
    let only = || runs.iter().find(|r| ids.first() == Some(&r.id));
    match (ids, only()) {
        ([id], Some(run)) if runs.len() == 1 => format!("{id} ({})", harmless(&run.name)),
        _ if ids.len() == runs.len() => format!("{} runs", ids.len()),
        _ => format!("{} of {} runs", ids.len(), runs.len()),
    }
}

fn control(runs: &[&RunSummary], control: Control, expected: &str, fits: fn(Status) -> bool) -> Effect {
    let ids = fitting(runs, fits);
    if ids.is_empty() {
        return unfit(runs, expected);
    }
    Effect::Ask(Request::Control(ids, control))
}

/// What is paused goes on here; what ended is queued again.
fn resume(runs: &[&RunSummary]) -> Effect {
    let live = fitting(runs, Status::is_live);
    let ended = fitting(runs, Status::is_resumable);
    let go_on = |ids| Effect::Ask(Request::Control(ids, Control::Resume));
    let again = |ids| Effect::Ask(Request::Requeue(ids));
    match (live.is_empty(), ended.is_empty()) {
        (true, true) => unfit(runs, "only paused, stopped, interrupted and failed runs go on"),
        (false, true) => go_on(live),
        (true, false) => again(ended),
        (false, false) => Effect::Several(vec![go_on(live), again(ended)]),
    }
}

fn cancel(runs: &[&RunSummary]) -> Effect {
    let ids = fitting(runs, |s| s.is_live() || s == Status::Queued);
    if ids.is_empty() {
        return unfit(runs, "only queued and running runs can be cancelled");
    }
    let question = format!("cancel {}? what is cancelled cannot be resumed", named(runs, &ids));
    Effect::Confirm { question, request: Request::Control(ids, Control::Cancel) }
}

fn delete(runs: &[&RunSummary]) -> Effect {
    let ids = fitting(runs, |s| !s.is_live());
    if ids.is_empty() {
        return unfit(runs, "stop it before deleting it (x)");
    }
    let left = if ids.len() < runs.len() { " (what is training stays)" } else { "" };
    let files = if ids.len() == 1 { "its files" } else { "their files" };
    let question = format!("delete {} with {files}?{left}", named(runs, &ids));
    Effect::Confirm { question, request: Request::Delete(ids) }
}

/// Puts away what has ended; where all is put away, takes it back.
fn archive(runs: &[&RunSummary]) -> Effect {
    if runs.iter().all(|r| r.archived) {
        return Effect::Ask(Request::Label(fitting(runs, |_| true), Label::Archived(false)));
    }
    let ids = fitting(runs, |s| !s.is_live() && s != Status::Queued);
    if ids.is_empty() {
        return unfit(runs, "only runs that have ended can be archived");
    }
    Effect::Ask(Request::Label(ids, Label::Archived(true)))
}
