//! What is here of the Hugging Face hub and what is being fetched, as the screens show it. Knows neither the network nor the cache.

/// The cache and what is on its way into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HubView {
    /// The cache's folder; empty until it was looked at.
    pub cache: String,
    /// The hub's address, or that it is not asked.
    pub hub: String,
    pub items: Vec<HubItem>,
    /// In the order in which they were asked for.
    pub fetches: Vec<HubFetch>,
}

/// A model or a data set that is here.
#[derive(Clone, Debug, PartialEq)]
pub struct HubItem {
    /// It holds rows; else it is a model.
    pub is_data: bool,
    /// Its id, with the revision where it is not the main one.
    pub name: String,
    pub commit: String,
    /// What takes it: `--model ID`, `--data hub:ID`; none where nothing here does.
    pub field: Option<(&'static str, String)>,
    /// Its parts and their bytes: a model's files, the folders of a data set.
    pub parts: Vec<(String, u64)>,
}

impl HubItem {
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Something that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct HubFetch {
    /// As it was asked for: asking with it again fetches it again.
    pub label: String,
    pub state: FetchState,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FetchState {
    Waiting,
    Running(Arriving),
    /// What there is to say of it.
    Done(String),
    Failed(String),
    Stopped,
}

impl FetchState {
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running(_))
    }
}

/// A file on its way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arriving {
    /// Empty while the list of files is asked for.
    pub file: String,
    /// Its place from 0 among so many.
    pub index: usize,
    pub files: usize,
    pub done: u64,
    pub size: Option<u64>,
    /// Bytes a second of late.
    pub rate: Option<f64>,
    pub note: Option<String>,
}

impl Arriving {
    /// Seconds until the file is here.
    pub fn left(&self) -> Option<f64> {
        Some((self.size?.saturating_sub(self.done)) as f64 / self.rate.filter(|r| *r > 0.0)?)
    }
}
