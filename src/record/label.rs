//! What a person says of a run: its name, tags and note, and whether it is put away. Knows nothing of where that is kept.

use thiserror::Error;

/// Longest tag and name, in characters.
const LONGEST: usize = 80;

/// A change of what is said of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    Name(String),
    /// One text; empty takes it away.
    Note(String),
    Tags {
        add: Vec<String>,
        remove: Vec<String>,
    },
    Archived(bool),
}

/// A text that cannot be a label.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LabelError {
    #[error("a name has 1 to {LONGEST} characters, found {0}")]
    Name(usize),
    #[error("tag {0:?}: a tag has 1 to {LONGEST} characters without spaces, commas, quotes and |")]
    Tag(String),
}

impl Label {
    /// The change with its texts trimmed and of one line, or what is wrong with them.
    pub fn checked(self) -> Result<Self, LabelError> {
        let line = |text: &str| text.split(char::is_control).collect::<Vec<_>>().join(" ").trim().to_string();
        Ok(match self {
            Label::Name(name) => {
                let name = line(&name);
                match name.chars().count() {
                    1..=LONGEST => Label::Name(name),
                    found => return Err(LabelError::Name(found)),
                }
            }
            Label::Note(note) => Label::Note(line(&note)),
            Label::Tags { add, remove } => {
                add.iter().chain(&remove).try_for_each(|tag| check_tag(tag))?;
                Label::Tags { add, remove }
            }
            archived => archived,
        })
    }

    /// From the tags `before` to those in `text`, which are separated by spaces or commas.
    pub fn tags(before: &[String], text: &str) -> Self {
        let after = split_tags(text);
        let add = after.iter().filter(|t| !before.contains(t)).cloned().collect();
        let remove = before.iter().filter(|t| !after.contains(t)).cloned().collect();
        Label::Tags { add, remove }
    }
}

/// Tags separated by spaces or commas.
pub fn split_tags(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|t| !t.is_empty()).map(str::to_string).collect()
}

fn check_tag(tag: &str) -> Result<(), LabelError> {
    let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '|' | '"');
    match tag.chars().count() {
        1..=LONGEST if !tag.contains(wrong) => Ok(()),
        _ => Err(LabelError::Tag(tag.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_labels() {
        let before = ["old".to_string(), "kept".to_string()];
        let label = Label::tags(&before, " kept, new  ,");
        assert_eq!(label, Label::Tags { add: vec!["new".into()], remove: vec!["old".into()] });
        assert_eq!(label.clone().checked(), Ok(label));
        assert_eq!(Label::Note(" two\nlines ".into()).checked(), Ok(Label::Note("two lines".into())));
        assert_eq!(Label::Name(" \t ".into()).checked(), Err(LabelError::Name(0)));
        let tag = |t: &str| Label::Tags { add: vec![t.into()], remove: Vec::new() }.checked();
        for wrong in ["", "a b", "a|b", "a\u{1b}b", "\"a\""] {
            assert_eq!(tag(wrong), Err(LabelError::Tag(wrong.into())));
        }
        assert!(tag("naïve-λ").is_ok());
    }
}
