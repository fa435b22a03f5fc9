//! TensorBoard's events: the few of its messages that carry numbers, texts and settings. Knows no files.

use super::proto::{Message, Value, fields, varints};
use crate::data::parquet::shortest;
use half::{bf16, f16};
use serde_json::Value as Json;

const VERSION: &str = "brain.Event:2";
/// The plugin of hyperparameters and its two tags.
const HPARAMS: &str = "hparams";
const STARTED: &str = "_hparams_/session_start_info";
const ENDED: &str = "_hparams_/session_end_info";
/// How a log of sessions says that one begins.
const RESTART: u64 = 1;
/// Most values of an event, most hyperparameters, and the longest tag or name in bytes: longer ones are left out.
const MOST_VALUES: usize = 100_000;
const MOST_SETTINGS: usize = 10_000;
const LONGEST: usize = 4_096;

/// What an event says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Unix time in seconds.
    pub time: f64,
    pub step: i64,
    /// The program began again at this step: what it wrote before of this step and later ones no longer counts.
    pub restarts: bool,
    pub values: Vec<(String, Content)>,
}

/// What stands under a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Scalar(f64),
    Text(String),
    /// Hyperparameters by name.
    Settings(Vec<(String, Json)>),
    /// Pictures, histograms, graphs and the like.
    Other,
}

/// The first event of a file.
pub fn version(time: f64) -> Message {
    Message::default().double(1, time).bytes(3, VERSION)
}

pub fn scalar(time: f64, step: u64, tag: &str, value: f64) -> Message {
    let value = Message::default().bytes(1, tag).float(2, value as f32);
    event(time, step, value)
}

/// The hyperparameters of a run that began at `time`.
pub fn settings(time: f64, of: &[(String, Json)]) -> Message {
    let entry = |(name, value): &(String, Json)| {
        let value = match value {
            Json::Number(n) => Message::default().double(2, n.as_f64().unwrap_or(f64::NAN)),
            Json::Bool(b) => Message::default().varint(4, u64::from(*b)),
            other => Message::default().bytes(3, other.as_str().map_or_else(|| other.to_string(), str::to_string)),
        };
        Message::default().bytes(1, name).bytes(2, value)
    };
    let started = of.iter().fold(Message::default(), |m, pair| m.bytes(1, entry(pair))).double(5, time);
    event(time, 0, plugin(STARTED, 3, &started))
}

/// The end of a run.
pub fn ended(time: f64, well: bool) -> Message {
    let ended = Message::default().varint(1, if well { 1 } else { 2 }).double(2, time);
    event(time, 0, plugin(ENDED, 4, &ended))
}

/// A value that is for the plugin of hyperparameters alone.
fn plugin(tag: &str, member: u32, content: &Message) -> Message {
    let data = Message::default().bytes(1, HPARAMS).bytes(2, Message::default().bytes(member, content));
    Message::default().bytes(1, tag).bytes(9, Message::default().bytes(1, data))
}

fn event(time: f64, step: u64, value: Message) -> Message {
    Message::default().double(1, time).varint(2, step).bytes(5, Message::default().bytes(1, value))
}

/// Reads an event.
pub fn read(bytes: &[u8]) -> Result<Event, String> {
    let mut event = Event::default();
    for found in fields(bytes) {
        let (field, value) = found?;
        match field {
            1 => event.time = value.double(),
            2 => event.step = value.varint() as i64,
            5 => {
                for found in fields(value.bytes()) {
                    let (field, value) = found?;
                    if field == 1 && event.values.len() < MOST_VALUES {
                        event.values.push(summary(value.bytes())?);
                    } else if field == 1 {
                        return Err(format!("more than {MOST_VALUES} values in one event"));
                    }
                }
            }
            7 => event.restarts = member(value.bytes(), 1, Value::varint)? == Some(RESTART),
            _ => {}
        }
    }
    Ok(event)
}

/// A tag and what stands under it.
fn summary(bytes: &[u8]) -> Result<(String, Content), String> {
    let (mut tag, mut content) = (String::new(), Content::Other);
    for found in fields(bytes) {
        let (field, value) = found?;
        match field {
            1 if value.bytes().len() > LONGEST => return Ok((String::new(), Content::Other)),
            1 => tag = value.text(),
            2 => content = Content::Scalar(shortest(value.float())),
            8 => content = tensor(value.bytes())?,
            9 => {
                if let Some(settings) = hyperparameters(value.bytes())? {
                    content = Content::Settings(settings);
                }
            }
            _ => {}
        }
    }
    Ok((tag, content))
}

/// A tensor with one element; of any other only that it is one.
fn tensor(bytes: &[u8]) -> Result<Content, String> {
    let (mut kind, mut elements, mut raw) = (0, 1u64, &[][..]);
    let (mut numbers, mut texts) = (Only(0, None), Only(0, None));
    for found in fields(bytes) {
        match found? {
            (1, value) => kind = value.varint(),
            (2, value) => {
                for found in fields(value.bytes()) {
                    if let (2, dimension) = found? {
                        let size = member(dimension.bytes(), 1, Value::varint)?.unwrap_or(0);
                        elements = elements.saturating_mul(size);
                    }
                }
            }
            (4, value) => raw = value.bytes(),
            (5, Value::Fixed32(bits)) => numbers.add(Number::Float(f32::from_bits(bits))),
            (5, Value::Bytes(b)) => {
                b.as_chunks().0.iter().for_each(|b| numbers.add(Number::Float(f32::from_le_bytes(*b))))
            }
            (6, Value::Fixed64(bits)) => numbers.add(Number::Double(f64::from_bits(bits))),
            (6, Value::Bytes(b)) => {
                b.as_chunks().0.iter().for_each(|b| numbers.add(Number::Double(f64::from_le_bytes(*b))))
            }
            (field @ (7 | 10 | 13), value) => {
                let number = if field == 13 { Number::Half } else { Number::Whole };
                match value {
                    Value::Bytes(packed) => varints(packed).try_for_each(|n| n.map(|n| numbers.add(number(n))))?,
                    one => numbers.add(number(one.varint())),
                }
            }
            (8, value) => texts.add(value),
            _ => {}
        }
    }
    if elements != 1 {
        return Ok(Content::Other);
    }
    if let Only(1, Some(text)) = texts {
        return Ok(Content::Text(text.text()));
    }
    let number = match (raw, numbers) {
        ([], Only(1, number)) => number.map(|n| n.real(kind)),
        (raw, _) => one(kind, raw),
    };
    Ok(number.map_or(Content::Other, Content::Scalar))
}

/// How many there are, and the first.
struct Only<T>(usize, Option<T>);

impl<T> Only<T> {
    fn add(&mut self, value: T) {
        self.0 += 1;
        self.1.get_or_insert(value);
    }
}

/// An element of a tensor as it is written.
enum Number {
    Float(f32),
    Double(f64),
    Whole(u64),
    Half(u64),
}

impl Number {
    /// `kind` is the tensor's: it may stand after its elements.
    fn real(self, kind: u64) -> f64 {
        match self {
            Number::Float(n) => shortest(n),
            Number::Double(n) => n,
            Number::Whole(n) => n as i64 as f64,
            Number::Half(bits) => half(kind, bits as u16),
        }
    }
}

fn half(kind: u64, bits: u16) -> f64 {
    if kind == 14 { bf16::from_bits(bits).to_f64() } else { f16::from_bits(bits).to_f64() }
}

/// The number that so many bytes of a type are.
fn one(kind: u64, raw: &[u8]) -> Option<f64> {
    Some(match kind {
        1 => shortest(f32::from_le_bytes(raw.try_into().ok()?)),
        2 => f64::from_le_bytes(raw.try_into().ok()?),
        3 => i32::from_le_bytes(raw.try_into().ok()?).into(),
        9 => i64::from_le_bytes(raw.try_into().ok()?) as f64,
        14 | 19 => half(kind, u16::from_le_bytes(raw.try_into().ok()?)),
        _ => return None,
    })
}

/// What a summary's metadata say for the plugin of hyperparameters; none for another plugin.
fn hyperparameters(metadata: &[u8]) -> Result<Option<Vec<(String, Json)>>, String> {
    let Some(data) = member(metadata, 1, Value::bytes)? else { return Ok(None) };
    if member(data, 1, Value::bytes)? != Some(HPARAMS.as_bytes()) {
        return Ok(None);
    }
    let content = member(data, 2, Value::bytes)?;
    let started = content.map_or(Ok(None), |content| member(content, 3, Value::bytes))?;
    let Some(started) = started else { return Ok(None) };
    let mut all = Vec::new();
    for found in fields(started) {
        let (1, entry) = found? else { continue };
        if all.len() >= MOST_SETTINGS {
            return Err(format!("more than {MOST_SETTINGS} hyperparameters"));
        }
        let (mut name, mut told) = (&[][..], Json::Null);
        for found in fields(entry.bytes()) {
            match found? {
                (1, value) => name = value.bytes(),
                (2, value) => told = json(value.bytes())?,
                _ => {}
            }
        }
        if name.len() <= LONGEST {
            all.push((String::from_utf8_lossy(name).into_owned(), told));
        }
    }
    Ok(Some(all))
}

fn json(value: &[u8]) -> Result<Json, String> {
    let found = fields(value).last().transpose()?;
    Ok(match found {
        // A whole number comes as 16.0 and is told as 16.
        Some((2, v)) if v.double().fract() == 0.0 && v.double().abs() < 1e15 => (v.double() as i64).into(),
        Some((2, v)) => v.double().into(),
        Some((3, v)) => v.text().into(),
        Some((4, v)) => (v.varint() != 0).into(),
        _ => Json::Null,
    })
}

/// What the last field of this number holds.
fn member<'a, T>(message: &'a [u8], number: u32, read: fn(Value<'a>) -> T) -> Result<Option<T>, String> {
    let mut last = None;
    for found in fields(message) {
        let (field, value) = found?;
        if field == number {
            last = Some(read(value));
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_come_back_as_they_were_written() {
        let read = |m: &Message| read(&m.0).expect("an event");
        assert_eq!(read(&version(12.5)), Event { time: 12.5, ..Event::default() });
        let found = read(&scalar(13.0, 7, "train/lr", 1e-3));
        let values = vec![("train/lr".to_string(), Content::Scalar(1e-3))];
        assert_eq!(found, Event { time: 13.0, step: 7, restarts: false, values });
        let again = Message::default().varint(2, 5).bytes(7, Message::default().varint(1, 1));
        assert_eq!(read(&again), Event { step: 5, restarts: true, ..Event::default() });
        let ends = Message::default().varint(2, 5).bytes(7, Message::default().varint(1, 2));
        assert!(!read(&ends).restarts);
        let of = [("lr".to_string(), Json::from(5e-3)), ("rank".into(), 8.into()), ("task".into(), "cola".into())];
        assert_eq!(read(&settings(1.0, &of)).values, [(STARTED.to_string(), Content::Settings(of.to_vec()))]);
        assert_eq!(read(&ended(1.0, true)).values, [(ENDED.to_string(), Content::Other)]);
    }

    #[test]
    fn a_tensor_of_one_number_is_a_scalar() {
        let shape = |sizes: &[u64]| {
            let size = |m: Message, n: &u64| m.bytes(2, Message::default().varint(1, *n));
            sizes.iter().fold(Message::default(), size)
        };
        let of = |kind: u64| Message::default().varint(1, kind).bytes(2, shape(&[]));
        let read = |tensor: Message| {
            let value = Message::default().bytes(1, "a").bytes(8, tensor);
            summary(&value.0).expect("a value").1
        };
        assert_eq!(read(of(1).bytes(4, 0.1f32.to_le_bytes())), Content::Scalar(0.1));
        assert_eq!(read(of(1).float(5, 0.1)), Content::Scalar(0.1));
        assert_eq!(read(of(1).bytes(5, 0.1f32.to_le_bytes())), Content::Scalar(0.1));
        assert_eq!(read(of(2).bytes(4, 0.1f64.to_le_bytes())), Content::Scalar(0.1));
        assert_eq!(read(of(2).double(6, -3.5)), Content::Scalar(-3.5));
        assert_eq!(read(of(3).varint(7, -2i64 as u64)), Content::Scalar(-2.0));
        assert_eq!(read(of(9).bytes(10, [5])), Content::Scalar(5.0));
        assert_eq!(read(of(9).bytes(4, 6i64.to_le_bytes())), Content::Scalar(6.0));
        assert_eq!(read(of(14).varint(13, bf16::from_f32(1.5).to_bits().into())), Content::Scalar(1.5));
        assert_eq!(read(of(19).bytes(4, f16::from_f32(0.25).to_bits().to_le_bytes())), Content::Scalar(0.25));
        assert_eq!(read(of(7).bytes(8, "{}")), Content::Text("{}".into()));
        assert_eq!(read(Message::default().varint(1, 1).bytes(2, shape(&[1, 1])).float(5, 2.0)), Content::Scalar(2.0));
        assert_eq!(read(Message::default().varint(1, 1).bytes(2, shape(&[2])).float(5, 2.0)), Content::Other);
        assert_eq!(read(of(1).bytes(4, [0; 3])), Content::Other);
        assert_eq!(read(of(1)), Content::Other);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
            let _ = tensor(&bytes);
            let _ = hyperparameters(&bytes);
        }
    }
}
