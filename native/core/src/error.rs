//! The one error of the crate: what kind of problem, in which stored object, in which chunk.

use std::fmt;

/// What a caller can do about an error; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A valid document that this engine does not cover.
    Unsupported,
    /// A document or an argument that breaks a rule.
    Invalid,
    /// Stored bytes that cannot be what the metadata says they are.
    Corrupt,
    /// The operating system refused; [`Error::os`] has its number.
    Io,
    /// There is not enough memory.
    Memory,
    /// A caller's storage failed; it knows the cause.
    Storage,
    /// A bug in this crate.
    Internal,
}

impl Kind {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

/// An error, boxed so that results stay small.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    message: String,
    key: Option<String>,
    chunk: Option<Vec<usize>>,
    os: Option<i32>,
    lacks_room: bool,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Make an error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Parts { kind, message, key: None, chunk: None, os: None, lacks_room: false }))
    }

    /// Stored bytes are not what they should be.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    /// The document is valid but not covered here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// The document or an argument breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The operating system refused to do `action`.
    #[must_use]
    pub fn io(action: &str, error: &std::io::Error) -> Self {
        let mut made = Self::new(Kind::Io, format!("cannot {action}: {error}"));
        made.0.os = error.raw_os_error();
        made
    }

    /// There is no room for `bytes` more.
    #[must_use]
    pub fn memory(bytes: usize) -> Self {
        Self::new(Kind::Memory, format!("{bytes} bytes of memory are not to be had"))
    }

    /// Say in which stored object and chunk it happened, where that is not known yet.
    #[must_use]
    pub fn located(mut self, key: &str, chunk: &[usize]) -> Self {
        if self.0.key.is_none() {
            self.0.key = Some(key.to_owned());
            self.0.chunk = Some(chunk.to_vec());
        }
        self
    }

    /// Say which stored object it is about, where no chunk is known.
    #[must_use]
    pub fn of(mut self, key: &str) -> Self {
        self.0.key.get_or_insert_with(|| key.to_owned());
        self
    }

    /// Say in which array of a store it happened: the key is from now on relative to the store.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        self.0.key = Some(match self.0.key {
            Some(key) if !path.is_empty() => format!("{path}/{key}"),
            Some(key) => key,
            None => path.to_owned(),
        });
        self
    }

    /// Put a context before the message.
    #[must_use]
    pub fn within(mut self, context: &str) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// Say that more room for what is decoded may be all that is missing.
    #[must_use]
    pub(crate) fn for_room(mut self) -> Self {
        self.0.lacks_room = true;
        self
    }

    /// Whether more room for what is decoded may be all that is missing.
    #[must_use]
    pub(crate) fn lacks_room(&self) -> bool {
        self.0.lacks_room
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// One sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The key of the object: relative to the array where the chunk is known, else to the store.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The coordinates of the chunk.
    #[must_use]
    pub fn chunk(&self) -> Option<&[usize]> {
        self.0.chunk.as_deref()
    }

    /// The operating system's number.
    #[must_use]
    pub fn os(&self) -> Option<i32> {
        self.0.os
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
