//! One object or a part of it, from services of all abilities.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStoreExt};

use super::config::{Service, first_line};
use super::runtime::Client;
use crate::error::{Error, Kind, Result};
use crate::storage::{Found, Range, Version};

/// How often that is done.
const MOST_ATTEMPTS: usize = 3;

/// How many versions of an object are tried to be read while they are replaced.
const MOST_VERSIONS: usize = 20;

/// Get an object or a part of it; None if there is none.
pub async fn get(client: &Client, key: &str, range: Range) -> Result<Option<Found<Bytes>>> {
    let path = path_of(key)?;
    let asked = match range {
        Range::All => None,
        _ if client.is_without_ranges.load(Ordering::Relaxed) => None,
        Range::Span(start, stop) if start >= stop => return Ok(Some(nothing())),
        Range::Last(0) => return Ok(Some(nothing())),
        Range::Span(start, stop) => Some(GetRange::Bounded(start..stop)),
        // Known not to be there.
        Range::Last(_) if client.service == Service::Azure => {
            return get_otherwise(client, &path, range).await;
        }
        Range::Last(size) => Some(GetRange::Suffix(size)),
    };
    let is_part = asked.is_some();
    match fetch(client, &path, asked).await {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) if !is_part || is_refusal(&error) => Err(failed(&error)),
        Err(error) => {
            if matches!(error, object_store::Error::NotSupported { .. }) && is_plain(range) {
                client.is_without_ranges.store(true, Ordering::Relaxed);
            }
            get_otherwise(client, &path, range).await
        }
    }
}

/// The path of a key.
pub(super) fn path_of(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| Error::invalid(error.to_string()))
}

/// Whether servers that know ranges at all know this one.
fn is_plain(range: Range) -> bool {
    matches!(range, Range::Span(..))
}

/// Get a part that was refused: it lies outside the object, or such ranges are not known.
///
/// What a part is, follows from the size; so both are to be of one version.
async fn get_otherwise(client: &Client, path: &Path, range: Range) -> Result<Option<Found<Bytes>>> {
    for _ in 0..MOST_VERSIONS {
        let Some(meta) = head(client, path).await? else { return Ok(None) };
        let (start, stop) = match range {
            Range::All => (0, meta.size),
            Range::Span(start, stop) => (start, stop.min(meta.size)),
            Range::Last(size) => (meta.size.saturating_sub(size), meta.size),
        };
        let held = version(&meta);
        if start >= stop {
            return Ok(Some(Found { version: Some(held), ..nothing() }));
        }
        match fetch(client, path, Some(GetRange::Bounded(start..stop))).await {
            Ok(found) if found.version.as_ref() == Some(&held) => return Ok(Some(found)),
            // Without strong tags, nothing else tells a version.
            Ok(found) if held.etag.is_none() => return Ok(Some(found)),
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) if client.service == Service::Http => {
                if matches!(error, object_store::Error::NotSupported { .. }) {
                    client.is_without_ranges.store(true, Ordering::Relaxed);
                }
                return get_whole(client, path, meta.size).await;
            }
            Err(error) => {
                if head(client, path).await?.is_none_or(|meta| version(&meta) == held) {
                    return Err(failed(&error));
                }
            }
        }
    }
    let text = format!("it was replaced {MOST_VERSIONS} times while it was read");
    Err(Error::new(Kind::Storage, format!("{text}; read it when its writers pause")))
}

async fn head(client: &Client, path: &Path) -> Result<Option<ObjectMeta>> {
    match client.store.head(path).await {
        Ok(meta) => Ok(Some(meta)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

async fn get_whole(client: &Client, path: &Path, size: u64) -> Result<Option<Found<Bytes>>> {
    match fetch(client, path, None).await {
        // A part may come where the whole was asked for, and is then taken for it.
        Ok(found) if found.version.as_ref().is_some_and(|now| now.size != size) => {
            let problem = "the server announced another size than that of what it sent";
            Err(Error::new(Kind::Storage, problem))
        }
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// Make one request, again where its answer is cut off.
async fn fetch(
    client: &Client,
    path: &Path,
    range: Option<GetRange>,
) -> object_store::Result<Found<Bytes>> {
    let mut attempt = 1;
    loop {
        let options = GetOptions { range: range.clone(), ..GetOptions::default() };
        let result = client.store.get_opts(path, options).await?;
        let (meta, span) = (result.meta.clone(), result.range.clone());
        let error = match result.bytes().await {
            Ok(data) if data.len() as u64 == span.end.saturating_sub(span.start) => {
                let is_whole = span.start == 0 && span.end == meta.size;
                return Ok(Found { data, is_whole, version: Some(version(&meta)) });
            }
            Ok(data) => object_store::Error::Generic {
                store: "object store",
                source: format!(
                    "the answer has {} bytes where {} were announced",
                    data.len(),
                    span.end.saturating_sub(span.start)
                )
                .into(),
            },
            Err(error) => error,
        };
        if attempt > client.retries.min(MOST_ATTEMPTS - 1) {
            return Err(error);
        }
        // At most four times the first wait of the others.
        tokio::time::sleep(client.pause.saturating_mul(1 << attempt)).await;
        attempt += 1;
    }
}

/// A weak tag stands for what means the same, not for the same bytes.
fn version(meta: &ObjectMeta) -> Version {
    let etag = meta.e_tag.as_deref().filter(|tag| !tag.starts_with("W/"));
    Version { etag: etag.map(Arc::from), size: meta.size }
}

fn nothing() -> Found<Bytes> {
    Found { data: Bytes::new(), is_whole: false, version: None }
}

/// Whether asking otherwise cannot help.
fn is_refusal(error: &object_store::Error) -> bool {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    matches!(error, PermissionDenied { .. } | Unauthenticated { .. })
}

/// Say what went wrong and what may help.
pub(super) fn failed(error: &object_store::Error) -> Error {
    let remedy = if is_refusal(error) {
        "check the credentials, or pass anon=True for public data"
    } else {
        "check the address, the network and the credentials"
    };
    Error::new(Kind::Storage, format!("{}; {remedy}", first_line(error)))
}
