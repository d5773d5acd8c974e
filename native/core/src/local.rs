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
        let _before = hold(path, parts);
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
fn hold(path: &str, parts: &[&[u8]]) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let size: usize = parts.iter().map(|part| part.len()).sum();
    // A path only: no permission is needed, and a pipe is not waited for.
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let open = || OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
    (size >= HELD_FROM).then(open).flatten()
}

#[cfg(not(target_os = "linux"))]
fn hold(_: &str, _: &[&[u8]]) {}

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
    // The clock behind a file's times ticks too slowly to tell two writes apart.
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
