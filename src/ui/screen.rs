//! What a screen is; [`all`] lists them. A screen draws from the view and turns actions into effects; it does no input or output.

mod ask;
mod compare;
mod curves;
mod data;
mod figure1;
mod hub;
mod launch;
mod layers;
mod panes;
mod queue;
mod records;
mod run;
mod runs;
mod table1;

use super::Choices;
use super::action::Action;
use super::prompt::Prompt;
use super::theme::Theme;
use crate::config::{RunTable, State};
use crate::event::RunId;
use crate::record::RowsOf;
use crate::spec::RunSpec;
use crate::view::{Interest, Message, Request, View};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

/// Names of the screens, for the table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Runs,
    Run,
    Compare,
    Figure1,
    Table1,
    Launch,
    Layers,
    Hub,
    Data,
    Queue,
}

/// What an action leads to beyond the screen itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    None,
    Go(Kind),
    Open(RunId),
    /// Mark these runs and no others.
    Mark(Vec<RunId>),
    Ask(Request),
    /// Show the table of runs with this filter.
    Filter(String),
    /// Ask the person for a line of text first.
    Prompt(Box<Prompt>),
    /// Show the launch form filled in, to be changed and launched.
    Fill(Box<RunSpec>),
    /// Show the launch form with these fields changed, by name.
    Set(Vec<(&'static str, String)>),
    /// Show these rows.
    LookAt(Box<RowsOf>),
    /// Remember how the table of runs is shown.
    Remember(RunTable),
    /// One after the other.
    Several(Vec<Effect>),
    /// Ask the person first.
    Confirm {
        question: String,
        request: Request,
    },
    Say(String),
    /// Put the text on the clipboard.
    Copy(String),
}

/// What a screen may look at while it draws or acts.
pub struct Scene<'a> {
    pub view: &'a View,
    pub theme: &'a Theme,
    /// The run that is open, if any.
    pub open: Option<&'a RunId>,
    /// Runs that are marked, in the order of marking.
    pub marked: &'a [RunId],
}

pub trait Screen {
    fn kind(&self) -> Kind;
    /// The key that shows it.
    fn digit(&self) -> char;
    fn title(&self) -> &'static str;
    /// What it wants to see, at this many columns.
    fn interest(&self, scene: &Scene, width: u16) -> Interest;
    fn act(&mut self, action: Action, scene: &Scene) -> Effect;
    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene);

    /// The action does nothing as things are; its key works all the same and may say why.
    fn idle(&self, _: Action, _: &Scene) -> bool {
        false
    }

    /// A click, drag or turn of the wheel inside `area`, where it was last drawn; none where it means nothing here.
    fn mouse(&mut self, _: MouseEvent, _area: Rect, _: &Scene) -> Option<Effect> {
        None
    }

    /// Another run is open now.
    fn opened(&mut self) {}

    /// Takes raw keys, for typing; true where it used the key.
    fn typed(&mut self, _: KeyEvent) -> bool {
        false
    }

    /// Pasted text, where something is being typed.
    fn pasted(&mut self, _: &str) {}

    /// Shows what a filter lets through.
    fn filter(&mut self, _: &str) {}

    /// Takes over the settings of a run that is to be launched.
    fn fill(&mut self, _: &RunSpec) {}

    /// Takes over one field of a launch.
    fn set(&mut self, _: &str, _: &str) {}
    /// Shows these rows; esc leads back to the screen that it was reached from.
    fn look_at(&mut self, _: &RowsOf, _from: Kind) {}

    /// The program's answer to a launch that this screen asked for.
    fn answered(&mut self, _: &Message) {}
}

/// Every screen, in the order of its digits.
pub fn all(choices: &Choices, remembered: &State) -> Vec<Box<dyn Screen>> {
    vec![
        Box::new(runs::RunsScreen::new(&remembered.runs)),
        Box::new(run::RunScreen::default()),
        Box::new(compare::CompareScreen::default()),
        Box::new(figure1::Figure1Screen::default()),
        Box::new(table1::Table1Screen::default()),
        Box::new(launch::LaunchScreen::new(choices.clone())),
        Box::new(layers::LayersScreen::default()),
        Box::new(hub::HubScreen::default()),
        Box::new(data::DataScreen::default()),
        Box::new(queue::QueueScreen::default()),
    ]
}
