//! Protocol buffers, as far as event files need them: fields written one by one, and fields read with the lengths checked. Knows
//! no message.

/// A message under way.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn varint(mut self, field: u32, value: u64) -> Self {
        self.key(field, 0);
        self.raw_varint(value);
        self
    }

    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A text, bytes or a message inside this one.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        self.key(field, 2);
        self.raw_varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }

    fn key(&mut self, field: u32, kind: u64) {
        self.raw_varint(u64::from(field) << 3 | kind);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub fn bytes(self) -> &'a [u8] {
        if let Value::Bytes(bytes) = self { bytes } else { &[] }
    }

    pub fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn double(self) -> f64 {
        if let Value::Fixed64(bits) = self { f64::from_bits(bits) } else { f64::NAN }
    }

    pub fn float(self) -> f32 {
        if let Value::Fixed32(bits) = self { f32::from_bits(bits) } else { f32::NAN }
    }

    pub fn varint(self) -> u64 {
        if let Value::Varint(n) = self { n } else { 0 }
    }
}

/// Numbers and values of a message's fields, in their order, as they are asked for: a message of many costs nothing. Ends after an
/// error.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, Value<'_>), String>> {
    each(message, |rest| {
        let key = varint(rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(array(rest)?)),
            2 => {
                let length = varint(rest)?;
                Value::Bytes(take(rest, usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(array(rest)?)),
            kind => return Err(format!("a protocol buffer field of kind {kind}, expected 0, 1, 2 or 5")),
        };
        Ok(((key >> 3) as u32, value))
    })
}

/// The numbers of a repeated field that are packed into these bytes.
pub fn varints(bytes: &[u8]) -> impl Iterator<Item = Result<u64, String>> {
    each(bytes, varint)
}

/// What `next` takes from the bytes until none are left.
fn each<'a, T>(
    mut rest: &'a [u8],
    next: impl Fn(&mut &'a [u8]) -> Result<T, String>,
) -> impl Iterator<Item = Result<T, String>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = next(&mut rest);
        if found.is_err() {
            rest = &[];
        }
        Some(found)
    })
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for place in 0..10 {
        let [byte] = array(rest)?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a protocol buffer number of more than 10 bytes".into())
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    take(rest, N)?.try_into().map_err(|_| "a protocol buffer that ends early".to_string())
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, after) = rest
        .split_at_checked(length)
        .ok_or_else(|| format!("a protocol buffer field of {length} bytes where {} are left", rest.len()))?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_come_back_as_they_were_written() {
        let inner = Message::default().varint(1, 300).float(2, -0.5);
        let message = Message::default().varint(1, u64::MAX).double(2, 1e-3).bytes(200, "λ").bytes(4, &inner);
        let all = |of| fields(of).collect::<Result<Vec<_>, _>>();
        let found = all(&message.0).expect("fields");
        assert_eq!(found[0], (1, Value::Varint(u64::MAX)));
        assert_eq!(found[1].1.double(), 1e-3);
        assert_eq!((found[2].0, found[2].1.text()), (200, "λ".to_string()));
        let inner = all(found[3].1.bytes()).expect("inner fields");
        assert_eq!((inner[0].1.varint(), inner[1].1.float()), (300, -0.5));
        assert_eq!(varints(&[0xac, 0x02, 0x05]).collect::<Result<Vec<_>, _>>(), Ok(vec![300, 5]));
    }

    #[test]
    fn what_ends_early_is_an_error() {
        for (wrong, word) in [
            (&[0x0a, 0x05, b'a'][..], "of 5 bytes where 1 are left"),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "where 0 are left"),
            (&[0x80], "where 0 are left"),
            (&[0xff; 11], "more than 10 bytes"),
            (&[0x0b], "of kind 3"),
            (&[0x09, 1, 2], "where 2 are left"),
        ] {
            let error = fields(wrong).collect::<Result<Vec<_>, _>>().expect_err("refused");
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
