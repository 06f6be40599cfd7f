//! Descriptions of types, as text and part by part.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::SchemaDifference;

/// What a type looks like in shared memory: the text that a typed region stores and compares.
///
/// ```
/// use vug::typed::{Schema, Shape};
///
/// vug::record! {
///     struct Quote { bid: f64, ask: f64 }
/// }
/// let text = "Quote { bid: f64 at 0, ask: f64 at 8 } (16 bytes)";
/// assert_eq!(Quote::shape().to_string(), text);
/// assert_eq!(text.parse::<Shape>(), Ok(Quote::shape()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Something with a name and no parts: `f64`, `str`.
    Plain(Cow<'static, str>),
    /// A fixed number of equal parts.
    Array(Box<Self>, usize),
    /// Any number of equal parts.
    Slice(Box<Self>),
    /// Parts of a key, one behind the other.
    Tuple(Vec<Self>),
    /// Named parts.
    Record {
        /// Name of the type.
        name: Cow<'static, str>,
        /// Its fields in the order of their offsets.
        fields: Vec<Field>,
        /// Its size in bytes.
        bytes: usize,
    },
}

/// A part of a [`Shape::Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its offset in bytes.
    pub at: usize,
    /// What it is.
    pub shape: Shape,
}

impl Shape {
    /// Something without parts. A name has no spaces and none of `,;:()[]{}`, but that a codec and
    /// a name have a colon between them.
    pub const fn plain(name: &'static str) -> Self {
        Self::Plain(Cow::Borrowed(name))
    }

    /// A record; fields are given as name, offset and shape. The macro [`record!`](crate::record)
    /// calls this.
    pub fn record(
        name: &'static str,
        bytes: usize,
        fields: impl IntoIterator<Item = (&'static str, usize, Self)>,
    ) -> Self {
        let field = |(name, at, shape)| Field { name: Cow::Borrowed(name), at, shape };
        let mut fields: Vec<Field> = fields.into_iter().map(field).collect();
        fields.sort_by_key(|field| field.at);
        Self::Record { name: Cow::Borrowed(name), fields, bytes }
    }

    /// Every difference, `self` being what is wanted. `whole` is what a part without a name of its
    /// own is called.
    pub fn differences(&self, found: &Self, whole: &str) -> Vec<SchemaDifference> {
        let mut list = Vec::new();
        self.compare(found, "", whole, &mut list);
        list
    }

    fn compare(&self, found: &Self, path: &str, whole: &str, list: &mut Vec<SchemaDifference>) {
        let mut differ = |place: String, wanted: Option<String>, found: Option<String>| {
            list.push(SchemaDifference { place, wanted, found });
        };
        let here = if path.is_empty() { whole } else { path };
        let (Self::Record { name, fields, bytes }, Self::Record { name: n, fields: f, bytes: b }) =
            (self, found)
        else {
            if self != found {
                differ(here.into(), Some(self.to_string()), Some(found.to_string()));
            }
            return;
        };
        if name != n {
            differ(format!("name of {here}"), Some(name.to_string()), Some(n.to_string()));
        }
        if bytes != b {
            let (wanted, found) = (format!("{bytes} bytes"), format!("{b} bytes"));
            differ(format!("size of {here}"), Some(wanted), Some(found));
        }
        let at = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
        for field in fields {
            let Some(other) = f.iter().find(|other| other.name == field.name) else {
                differ(at(&field.name), Some(field.place()), None);
                continue;
            };
            let both =
                matches!((&field.shape, &other.shape), (Self::Record { .. }, Self::Record { .. }));
            if field.at != other.at || (!both && field.shape != other.shape) {
                differ(at(&field.name), Some(field.place()), Some(other.place()));
            }
        }
        for other in f.iter().filter(|other| fields.iter().all(|field| field.name != other.name)) {
            differ(at(&other.name), None, Some(other.place()));
        }
        for field in fields {
            let nested = |other: &&Field| other.name == field.name;
            if let (Self::Record { .. }, Some(other)) = (&field.shape, f.iter().find(nested))
                && matches!(other.shape, Self::Record { .. })
            {
                field.shape.compare(&other.shape, &at(&field.name), whole, list);
            }
        }
    }
}

impl Field {
    /// `f64 at 8`; of a record only the name.
    fn place(&self) -> String {
        match &self.shape {
            Shape::Record { name, .. } => format!("{name} at {}", self.at),
            shape => format!("{shape} at {}", self.at),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(name) => f.write_str(name),
            Self::Array(of, len) => write!(f, "[{of}; {len}]"),
            Self::Slice(of) => write!(f, "[{of}]"),
            Self::Tuple(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if i == 0 { "(" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Record { name, fields, bytes } => {
                write!(f, "{name} {{")?;
                for (i, Field { name, at, shape }) in fields.iter().enumerate() {
                    write!(f, "{} {name}: {shape} at {at}", if i == 0 { "" } else { "," })?;
                }
                write!(f, " }} ({bytes} bytes)")
            }
        }
    }
}

/// A text that describes no type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAShape;

impl fmt::Display for NotAShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a description of a type")
    }
}

impl std::error::Error for NotAShape {}

impl FromStr for Shape {
    type Err = NotAShape;

    fn from_str(text: &str) -> Result<Self, NotAShape> {
        let mut parser = Parser { rest: text, depth: 0 };
        let shape = parser.shape()?;
        parser.rest.is_empty().then_some(shape).ok_or(NotAShape)
    }
}

/// Deeper nesting is refused rather than followed: the text comes from a file.
const DEPTH: usize = 32;

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, token: &str) -> Result<(), NotAShape> {
        self.takes(token).then_some(()).ok_or(NotAShape)
    }

    fn word(&mut self, ends: fn(char) -> bool) -> Result<&'t str, NotAShape> {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(NotAShape) } else { Ok(word) }
    }

    fn number(&mut self) -> Result<usize, NotAShape> {
        self.word(|c| !c.is_ascii_digit())?.parse().map_err(|_| NotAShape)
    }

    fn shape(&mut self) -> Result<Shape, NotAShape> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(NotAShape);
        }
        let shape = if self.takes("[") {
            self.repeated()
        } else if self.takes("(") {
            self.tuple()
        } else {
            let name = self.word(|c| c.is_whitespace() || ",;()[]{}".contains(c))?.to_owned();
            if self.takes(" {") { self.record(name) } else { Ok(Shape::Plain(name.into())) }
        };
        self.depth -= 1;
        shape
    }

    fn repeated(&mut self) -> Result<Shape, NotAShape> {
        let of = Box::new(self.shape()?);
        let len = if self.takes("; ") { Some(self.number()?) } else { None };
        self.take("]")?;
        Ok(len.map_or_else(|| Shape::Slice(of.clone()), |len| Shape::Array(of.clone(), len)))
    }

    fn tuple(&mut self) -> Result<Shape, NotAShape> {
        let mut parts = vec![self.shape()?];
        while self.takes(", ") {
            parts.push(self.shape()?);
        }
        self.take(")")?;
        Ok(Shape::Tuple(parts))
    }

    fn record(&mut self, name: String) -> Result<Shape, NotAShape> {
        let mut fields = Vec::new();
        while !self.takes(" } (") {
            if !fields.is_empty() {
                self.take(",")?;
            }
            self.take(" ")?;
            let name = self.word(|c| c == ':' || c.is_whitespace())?.to_owned().into();
            self.take(": ")?;
            let shape = self.shape()?;
            self.take(" at ")?;
            fields.push(Field { name, at: self.number()?, shape });
        }
        let bytes = self.number()?;
        self.take(" bytes)")?;
        Ok(Shape::Record { name: name.into(), fields, bytes })
    }
}

#[cfg(test)]
mod tests;
