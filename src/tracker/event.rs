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

/// What an event says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Unix time in seconds.
    pub time: f64,
    pub step: i64,
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
    for (field, value) in fields(bytes)? {
        match field {
            1 => event.time = value.double(),
            2 => event.step = value.varint() as i64,
            5 => {
                for (field, value) in fields(value.bytes())? {
                    if field == 1 {
                        event.values.push(summary(value.bytes())?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(event)
}

/// A tag and what stands under it.
fn summary(bytes: &[u8]) -> Result<(String, Content), String> {
    let (mut tag, mut content) = (String::new(), Content::Other);
    for (field, value) in fields(bytes)? {
        match field {
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
    let (mut kind, mut elements, mut raw, mut listed, mut texts) = (0, 1u64, &[][..], Vec::new(), Vec::new());
    for (field, value) in fields(bytes)? {
        match (field, value) {
            (1, _) => kind = value.varint(),
            (2, _) => {
                for (field, dimension) in fields(value.bytes())? {
                    if field == 2 {
                        let size =
                            fields(dimension.bytes())?.iter().find(|(f, _)| *f == 1).map_or(0, |(_, v)| v.varint());
                        elements = elements.saturating_mul(size);
                    }
                }
            }
            (4, _) => raw = value.bytes(),
            (5, Value::Fixed32(_)) => listed.push(shortest(value.float())),
            (5, Value::Bytes(b)) => listed.extend(b.as_chunks().0.iter().map(|b| shortest(f32::from_le_bytes(*b)))),
            (6, Value::Fixed64(_)) => listed.push(value.double()),
            (6, Value::Bytes(b)) => listed.extend(b.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b))),
            (7 | 10, _) => listed.extend(varints(value)?.into_iter().map(|n| n as i64 as f64)),
            (8, _) => texts.push(value.text()),
            (13, _) => listed.extend(varints(value)?.into_iter().map(|bits| half(kind, bits as u16))),
            _ => {}
        }
    }
    if elements != 1 {
        return Ok(Content::Other);
    }
    if let [text] = &mut texts[..] {
        return Ok(Content::Text(std::mem::take(text)));
    }
    let number = match raw {
        [] if listed.len() == 1 => listed.first().copied(),
        raw => one(kind, raw),
    };
    Ok(number.map_or(Content::Other, Content::Scalar))
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
    let Some(data) = member(metadata, 1)? else { return Ok(None) };
    if member(data, 1)? != Some(HPARAMS.as_bytes()) {
        return Ok(None);
    }
    let started = member(data, 2)?.map_or(Ok(None), |content| member(content, 3))?;
    let Some(started) = started else { return Ok(None) };
    let mut found = Vec::new();
    for (_, entry) in fields(started)?.into_iter().filter(|(field, _)| *field == 1) {
        let (mut name, mut told) = (String::new(), Json::Null);
        for (field, value) in fields(entry.bytes())? {
            match field {
                1 => name = value.text(),
                2 => told = json(value.bytes())?,
                _ => {}
            }
        }
        found.push((name, told));
    }
    Ok(Some(found))
}

fn json(value: &[u8]) -> Result<Json, String> {
    let found = fields(value)?.pop();
    Ok(match found {
        // A whole number comes as 16.0 and is told as 16.
        Some((2, v)) if v.double().fract() == 0.0 && v.double().abs() < 1e15 => (v.double() as i64).into(),
        Some((2, v)) => v.double().into(),
        Some((3, v)) => v.text().into(),
        Some((4, v)) => (v.varint() != 0).into(),
        _ => Json::Null,
    })
}

/// The last field of this number that holds bytes.
fn member(message: &[u8], number: u32) -> Result<Option<&[u8]>, String> {
    let found = fields(message)?;
    Ok(found.iter().rev().find(|(field, _)| *field == number).map(|(_, value)| value.bytes()))
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
        assert_eq!(found, Event { time: 13.0, step: 7, values });
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
