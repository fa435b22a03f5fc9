//! What the keys for one run's course ask of the program, or why they ask nothing; the same on every list of runs.

use super::Effect;
use crate::event::{Control, Status};
use crate::record::RunSummary;
use crate::ui::action::Action;
use crate::ui::text::harmless;
use crate::view::Request;

pub(super) fn ask(run: &RunSummary, action: Action) -> Effect {
    let control = |control| Effect::Ask(Request::Control(run.id.clone(), control));
    let confirm = |question: String, request| Effect::Confirm { question, request };
    match action {
        Action::Stop => control(Control::Stop),
        Action::Pause if run.status == Status::Queued => {
            Effect::Say(format!("{} is queued: only running runs pause; x takes it out of the queue", run.id))
        }
        Action::Pause => control(Control::Pause),
        Action::Resume if run.status.is_live() => control(Control::Resume),
        Action::Resume => Effect::Ask(Request::Requeue(run.id.clone())),
        Action::Cancel if !(run.status.is_live() || run.status == Status::Queued) => {
            Effect::Say(format!("{} is {}: only queued and running runs can be cancelled", run.id, run.status))
        }
        Action::Cancel => confirm(
            format!("cancel {} ({})? it cannot be resumed", run.id, harmless(&run.name)),
            Request::Control(run.id.clone(), Control::Cancel),
        ),
        Action::Delete => confirm(
            format!("delete {} ({}) with its files?", run.id, harmless(&run.name)),
            Request::Delete(run.id.clone()),
        ),
        Action::Copy => Effect::Copy(run.id.to_string()),
        Action::CopySpec => Effect::Copy(run.spec.to_toml()),
        _ => Effect::None,
    }
}
