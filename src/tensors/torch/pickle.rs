//! A pickle of a state dict without Python: a machine for the opcodes that `torch.save` writes, which knows three callables
//! and the storage classes by name and refuses every other. It imports nothing and calls nothing. Values are numbers in one
//! list, so that a memo can neither copy nor nest without end; list, stack and dimensions are capped.

use super::super::{Dtype, MAX_TENSORS, TensorFileError, content, shown};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Most values that a pickle may make, and most that may wait on the stack.
const MAX_VALUES: usize = 1_000_000;
const MAX_STACK: usize = 100_000;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 16;

/// Number of a value.
type Id = usize;

/// A tensor as the pickle describes it; nothing of this is checked against the archive.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub dtype: Dtype,
    /// Name of the storage.
    pub key: &'a str,
    /// Values in the storage, and the first of them that is the tensor's.
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What may be called or named; all else is refused.
#[derive(Clone, Copy)]
enum Class {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

enum Value<'a> {
    /// Something that says nothing of tensors: a number with a fraction, `None`.
    Other,
    Truth(bool),
    Integer(i64),
    Text(&'a str),
    List(Vec<Id>),
    Class(Class),
    Tuple(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    Storage(Dtype, &'a str, usize),
    Tensor(Tensor<'a>),
}

/// What was pickled: all values and the number of the last, which is the whole.
pub struct Found<'a> {
    values: Vec<Value<'a>>,
    whole: Id,
    /// Bytes of the pickle.
    pub length: usize,
}

impl<'a> Found<'a> {
    /// The texts of a list of texts.
    pub fn texts(&self) -> Option<Vec<&'a str>> {
        let Value::List(items) = &self.values[self.whole] else { return None };
        let text = |id: &Id| if let Value::Text(text) = self.values[*id] { Some(text) } else { None };
        items.iter().map(text).collect()
    }

    /// A member of the outermost dictionary that is true or false.
    pub fn truth(&self, name: &str) -> Option<bool> {
        let (_, id) = self.items(self.whole).find(|(known, _)| *known == name)?;
        if let Value::Truth(truth) = self.values[id] { Some(truth) } else { None }
    }

    /// Type and values of every storage by its name; an error where one is described in two ways.
    pub fn storages(&self) -> Result<BTreeMap<&'a str, (Dtype, usize)>, TensorFileError> {
        let mut found = BTreeMap::new();
        for value in &self.values {
            if let Value::Storage(dtype, key, count) = *value
                && *found.entry(key).or_insert((dtype, count)) != (dtype, count)
            {
                return content(format!("its storage {} is described in two ways", shown(key)));
            }
        }
        Ok(found)
    }

    /// Tensors of the outermost dictionary by name.
    pub fn tensors(&self) -> Vec<(&'a str, &Tensor<'a>)> {
        self.tensors_of(self.whole)
    }

    /// Dictionaries in the outermost one with the tensors of each.
    pub fn dictionaries(&self) -> Vec<(&'a str, Vec<(&'a str, &Tensor<'a>)>)> {
        // Each once, however often it is named.
        let mut seen = HashSet::new();
        let inner = self.items(self.whole).filter(|(_, id)| matches!(self.values[*id], Value::Dictionary(_)));
        inner.filter(|(_, id)| seen.insert(*id)).map(|(name, id)| (name, self.tensors_of(id))).collect()
    }

    fn tensors_of(&self, id: Id) -> Vec<(&'a str, &Tensor<'a>)> {
        let tensor = |(name, id): (&'a str, Id)| match &self.values[id] {
            Value::Tensor(tensor) => Some((name, tensor)),
            _ => None,
        };
        self.items(id).filter_map(tensor).collect()
    }

    /// Members of a dictionary whose keys are texts.
    fn items(&self, id: Id) -> impl Iterator<Item = (&'a str, Id)> {
        let items = match &self.values[id] {
            Value::Dictionary(items) => &items[..],
            _ => &[],
        };
        items.iter().filter_map(|(key, value)| match &self.values[*key] {
            Value::Text(name) => Some((*name, *value)),
            _ => None,
        })
    }
}

/// Reads the pickle that the bytes begin with.
pub fn read(bytes: &[u8]) -> Result<Found<'_>, TensorFileError> {
    let (values, stack, marks, memo) = Default::default();
    let mut machine = Machine { bytes, at: 0, values, stack, marks, memo, tensors: 0 };
    loop {
        let start = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(whole)) => return Ok(Found { values: machine.values, whole, length: machine.at }),
            Err(Stop::Refused(what)) => return content(what),
            Err(Stop::Broken(what)) => return content(format!("its pickle is broken at byte {start}: {what}")),
        }
    }
}

/// Why the machine stops before the end.
enum Stop {
    Broken(&'static str),
    Refused(String),
}

type Step<T> = Result<T, Stop>;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Tensors made so far.
    tensors: usize,
}

impl<'a> Machine<'a> {
    /// Carries out one opcode; the whole at the end.
    fn step(&mut self) -> Step<Option<Id>> {
        let [opcode] = self.take()?;
        match opcode {
            // PROTO; torch.save writes protocol 2.
            0x80 => {
                let [version] = self.take()?;
                if version > 3 {
                    return refused(format!("its pickle has protocol {version}, expected 2, which torch.save takes"));
                }
            }
            b'c' => self.class()?,
            b'(' => self.open()?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b'}' => self.push(Value::Dictionary(Vec::new()))?,
            b']' => self.push(Value::List(Vec::new()))?,
            b'N' => self.push(Value::Other)?,
            0x88 | 0x89 => self.push(Value::Truth(opcode == 0x88))?,
            b'G' => {
                let [_, _, _, _, _, _, _, _] = self.take()?;
                self.push(Value::Other)?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.push(Value::Integer(value.into()))?;
            }
            b'K' => {
                let [value] = self.take()?;
                self.push(Value::Integer(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.push(Value::Integer(value.into()))?;
            }
            0x8a => self.integer()?,
            b'X' => {
                let length = u32::from_le_bytes(self.take()?);
                let text =
                    std::str::from_utf8(self.slice(length as usize)?).map_err(|_| Stop::Broken("text not in UTF-8"))?;
                self.push(Value::Text(text))?;
            }
            b'q' => {
                let [place] = self.take()?;
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.take()?);
                self.remember(place)?;
            }
            b'h' => {
                let [place] = self.take()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.take()?);
                self.recall(place)?;
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Value::Tuple(items))?;
            }
            b't' => {
                let items = self.close()?;
                self.push(Value::Tuple(items))?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.close()?;
                self.set(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.close()?;
                self.append(&items)?;
            }
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            // BUILD gives a dictionary attributes, such as the versions of a state dict.
            b'b' => {
                self.pop()?;
                let on = self.top()?;
                if !matches!(self.values[on], Value::Dictionary(_)) {
                    return Err(Stop::Broken("attributes of what is no dictionary"));
                }
            }
            b'.' => return self.pop().map(Some),
            other => {
                return refused(format!("its pickle asks for opcode {other:#04x} at byte {}: {WANTED}", self.at - 1));
            }
        }
        Ok(None)
    }

    fn slice(&mut self, length: usize) -> Step<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(Stop::Broken("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.slice(N)?.first_chunk().copied().ok_or(Stop::Broken("it ends too early"))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().take(1_000).position(|b| *b == b'\n').ok_or(Stop::Broken("a name without an end"))?;
        let line = self.slice(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| Stop::Broken("a name not in UTF-8"))
    }

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        if self.values.len() >= MAX_VALUES {
            return refused(format!("its pickle holds more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        self.put(self.values.len() - 1)
    }

    fn put(&mut self, id: Id) -> Step<()> {
        if self.stack.len() >= MAX_STACK {
            return refused(format!("its pickle puts more than {MAX_STACK} values on its stack"));
        }
        self.stack.push(id);
        Ok(())
    }

    /// Takes the last value, of those after the last mark.
    fn pop(&mut self) -> Step<Id> {
        match self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            true => Err(Stop::Broken("an empty stack")),
            false => self.stack.pop().ok_or(Stop::Broken("an empty stack")),
        }
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<Id>>>()?;
        items.reverse();
        Ok(items)
    }

    fn top(&self) -> Step<Id> {
        self.stack.last().copied().ok_or(Stop::Broken("an empty stack"))
    }

    fn open(&mut self) -> Step<()> {
        if self.marks.len() >= MAX_STACK {
            return refused(format!("its pickle puts more than {MAX_STACK} marks on its stack"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes what stands after the last mark, and the mark.
    fn close(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or(Stop::Broken("no mark"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn remember(&mut self, place: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Step<()> {
        let id = self.memo.get(&place).copied().ok_or(Stop::Broken("a memo that was not made"))?;
        self.put(id)
    }

    fn set(&mut self, items: &[Id]) -> Step<()> {
        let on = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.values[on] {
            Value::Dictionary(held) if rest.is_empty() => held.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            _ => return Err(Stop::Broken("members of what is no dictionary")),
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Step<()> {
        let on = self.top()?;
        match &mut self.values[on] {
            Value::List(held) => held.extend(items),
            _ => return Err(Stop::Broken("items of what is no list")),
        }
        Ok(())
    }

    /// An integer of up to eight bytes.
    fn integer(&mut self) -> Step<()> {
        let [length] = self.take()?;
        let bytes = self.slice(length.into())?;
        if bytes.len() > 8 {
            return Err(Stop::Broken("an integer of more than 8 bytes"));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xFF } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Integer(i64::from_le_bytes(wide)))
    }

    fn class(&mut self) -> Step<()> {
        let (module, name) = (self.line()?, self.line()?);
        let class = match (module, name) {
            ("collections", "OrderedDict") => Class::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Class::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Class::RebuildParameter,
            ("torch", storage) => match dtype(storage) {
                Some(dtype) => Class::Storage(dtype),
                None => return unknown(module, name),
            },
            _ => return unknown(module, name),
        };
        self.push(Value::Class(class))
    }

    /// BINPERSID on ("storage", class, key, device, count) or, before 1.6, with None as the last: a view otherwise.
    fn storage(&mut self) -> Step<()> {
        let id = self.pop()?;
        let storage = match &self.values[id] {
            Value::Tuple(items) => match items.iter().map(|i| &self.values[*i]).collect::<Vec<_>>()[..] {
                [
                    Value::Text("storage"),
                    Value::Class(Class::Storage(dtype)),
                    Value::Text(key),
                    _,
                    Value::Integer(count),
                ]
                | [
                    Value::Text("storage"),
                    Value::Class(Class::Storage(dtype)),
                    Value::Text(key),
                    _,
                    Value::Integer(count),
                    Value::Other,
                ] => usize::try_from(*count).ok().map(|count| Value::Storage(*dtype, key, count)),
                _ => None,
            },
            _ => None,
        };
        self.push(storage.ok_or(Stop::Broken("a storage that is none"))?)
    }

    fn call(&mut self) -> Step<()> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Class(class), Value::Tuple(arguments)) = (&self.values[callable], &self.values[arguments]) else {
            return Err(Stop::Broken("a call of what is no class"));
        };
        match (class, &arguments[..]) {
            (Class::OrderedDict, []) => self.push(Value::Dictionary(Vec::new())),
            (Class::RebuildTensor, _) if self.tensors >= MAX_TENSORS => {
                refused(format!("more than {MAX_TENSORS} tensors, which are the most that are read"))
            }
            (Class::RebuildTensor, [storage, offset, shape, strides, _, _, ..]) => {
                let tensor = self.tensor(*storage, *offset, *shape, *strides);
                self.tensors += 1;
                self.push(Value::Tensor(tensor.ok_or(Stop::Broken("a tensor that is none"))?))
            }
            (Class::RebuildParameter, [tensor, _, _]) if matches!(self.values[*tensor], Value::Tensor(_)) => {
                self.put(*tensor)
            }
            _ => Err(Stop::Broken("a call with arguments that do not fit")),
        }
    }

    fn tensor(&self, storage: Id, offset: Id, shape: Id, strides: Id) -> Option<Tensor<'a>> {
        let number = |id: Id| match self.values[id] {
            Value::Integer(number) => usize::try_from(number).ok(),
            _ => None,
        };
        let numbers = |id: Id| match &self.values[id] {
            Value::Tuple(items) if items.len() <= MAX_DIMENSIONS => {
                items.iter().map(|i| number(*i)).collect::<Option<Vec<usize>>>()
            }
            _ => None,
        };
        let Value::Storage(dtype, key, count) = self.values[storage] else { return None };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        let made = Tensor { dtype, key, storage: count, offset: number(offset)?, shape, strides };
        (made.shape.len() == made.strides.len()).then_some(made)
    }
}

/// What the file should have been.
const WANTED: &str = "only dictionaries of tensors are read, and nothing in them is run. If you trust the file, keep its \
    tensors alone: python -c 'import sys, torch; d = torch.load(sys.argv[1], weights_only=False, map_location=\"cpu\"); \
    torch.save({k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])' OLD NEW";

fn refused<T>(what: String) -> Step<T> {
    Err(Stop::Refused(what))
}

fn unknown<T>(module: &str, name: &str) -> Step<T> {
    refused(format!("its pickle asks for {}: {WANTED}", shown(&format!("{module}.{name}"))))
}

/// The type of the values in a storage class of torch.
fn dtype(storage: &str) -> Option<Dtype> {
    Some(match storage {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}
