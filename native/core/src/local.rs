//! Files: read at an offset, replaced whole, removed with the directories they leave empty.

use std::collections::hash_map::RandomState;
use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::hash::BuildHasher;
use std::io::{ErrorKind, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Result};

/// How often the directory of a new file is made again if someone else removes it meanwhile.
const ATTEMPTS: usize = 16;

/// Freeing less takes no longer than opening a file does.
#[cfg(target_os = "linux")]
const HELD_FROM: usize = 64 << 10;

/// Open a file for reading. None if there is no file, also where a directory is in its place.
pub(crate) fn open(path: &str) -> Result<Option<(File, Metadata)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(Error::io("open the file", &error)),
    };
    let status = file.metadata().map_err(|error| Error::io("look at the file", &error))?;
    Ok(status.is_file().then_some((file, status)))
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Fill `target` with the bytes from `offset` on.
pub(crate) fn read_at(file: &File, target: &mut [u8], offset: u64) -> Result<()> {
    let cut_off = || Error::corrupt("the file is cut off");
    // The system refuses offsets that no file has.
    if offset.checked_add(target.len() as u64).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(cut_off());
    }
    file.read_exact_at(target, offset).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => cut_off(),
        _ => Error::io("read the file", &error),
    })
}

/// Replace a file: all of it or nothing. Directories are created.
///
/// The temporary file has the name that anyzarr's local store knows and hides.
pub(crate) fn replace(path: &str, parts: &[&[u8]]) -> Result<()> {
    let directory = path.rsplit_once('/').map_or(".", |(directory, _)| directory);
    let (file, temporary) = create(directory)?;
    let result = write_parts(file, parts).and_then(|()| {
        let _before = hold(path, parts.iter().map(|part| part.len()).sum());
        std::fs::rename(&temporary, path)
    });
    result.map_err(|error| {
        // What is left of the temporary file is hidden anyway.
        let _ = std::fs::remove_file(&temporary);
        Error::io("write the file", &error)
    })
}

/// A handle on the large file that is about to be replaced, if there is one.
///
/// The system frees the content of a file that nobody has when its name goes: while it renames,
/// and lets nobody else into the directory. Held by us, the content is freed when we let go.
#[cfg(target_os = "linux")]
fn hold(path: &str, size: usize) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;

    // A path only: no permission is needed, and a pipe is not waited for.
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let open = || OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
    (size >= HELD_FROM).then(open).flatten()
}

#[cfg(not(target_os = "linux"))]
fn hold(_: &str, _: usize) {}

/// A file on its way to replace another; removed again unless it is completed.
pub(crate) struct Replacement {
    file: File,
    temporary: String,
    path: String,
    size: usize,
}

impl Replacement {
    /// Begin. Directories are created.
    pub fn new(path: &str) -> Result<Self> {
        let directory = path.rsplit_once('/').map_or(".", |(directory, _)| directory);
        let (file, temporary) = create(directory)?;
        Ok(Self { file, temporary, path: path.to_owned(), size: 0 })
    }

    /// Append bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len());
        self.file.write_all(bytes).map_err(|error| Error::io("write the file", &error))
    }

    /// Replace the first bytes.
    pub fn write_at_start(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, 0).map_err(|error| Error::io("write the file", &error))
    }

    /// Put it in the place of the other.
    pub fn commit(mut self) -> Result<()> {
        let result = stamp(&self.file).and_then(|()| {
            let _before = hold(&self.path, self.size);
            std::fs::rename(&self.temporary, &self.path)
        });
        if result.is_ok() {
            self.temporary.clear();
        }
        result.map_err(|error| Error::io("write the file", &error))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            // What is left of the temporary file is hidden anyway.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

fn create(directory: &str) -> Result<(File, String)> {
    let mut attempt = 0;
    loop {
        let temporary = format!("{directory}/.anyzarr-{:016x}.tmp", random());
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if attempt == ATTEMPTS => return Err(Error::io("create a file", &error)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(directory)
                    .map_err(|error| Error::io("create the directory", &error))?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create a file", &error)),
        }
        attempt += 1;
    }
}

/// A number that differs between threads, processes and calls.
fn random() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_nanos());
    RandomState::new().hash_one((now, std::process::id()))
}

fn write_parts(mut file: File, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        // The system takes no more than 1024 slices at once.
        let most = rest.len().min(1024);
        match file.write_vectored(&rest[..most]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stamp(&file)
}

/// Set the time of change: the clock behind a file's times ticks too slowly to tell two apart.
fn stamp(file: &File) -> std::io::Result<()> {
    file.set_times(FileTimes::new().set_modified(SystemTime::now()))
}

/// Remove the file of a key, and the directories below `root` that are then empty.
pub(crate) fn remove(root: &str, path: &str) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if is_absent(&error) || Path::new(path).is_dir() => return Ok(()),
        Err(error) => return Err(Error::io("remove the file", &error)),
    }
    let mut parent = path;
    while let Some((directory, _)) = parent.rsplit_once('/') {
        if directory.len() <= root.len() || std::fs::remove_dir(directory).is_err() {
            break;
        }
        parent = directory;
    }
    Ok(())
}
