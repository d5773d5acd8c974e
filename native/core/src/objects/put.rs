//! One object written or removed, all or nothing.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, WriteMultipart,
};

use super::get::{failed, path_of};
use super::runtime::Client;
use crate::error::Result;

/// Objects from here on go up in parts, which are tried again one by one.
const MULTIPART_BYTES: usize = 32 << 20;

/// Size of a part.
const PART_BYTES: usize = 8 << 20;

/// Parts of one object under way.
const PARTS: usize = 8;

/// Name in an object's metadata of what tells one put from all others.
const MARK: &str = "anyzarrput";

/// How often a whole upload is tried again.
const MOST_RETRIES: usize = 3;

/// Wait before the first of these.
const PAUSE: Duration = Duration::from_millis(100);

/// Replace an object, or remove it.
pub async fn put(client: &Client, key: &str, data: Option<Bytes>) -> Result<()> {
    let path = path_of(key)?;
    let done = match data {
        None => match client.store.delete(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => done,
        },
        Some(data) if data.len() < MULTIPART_BYTES => {
            client.store.put(&path, data.into()).await.map(|_| ())
        }
        Some(data) => put_parts(client, &path, data).await,
    };
    done.map_err(|error| failed(&error).of(key))
}

/// Put a large object; all of it again where a request failed that is not tried again by itself.
///
/// The last request's answer may get lost, and its repetition be refused because the upload is
/// complete. So each attempt has a mark of its own in the object's metadata, which is looked for.
async fn put_parts(client: &Client, path: &Path, data: Bytes) -> object_store::Result<()> {
    let mut attempt = 0;
    loop {
        let mark = new_mark();
        let Err(error) = put_parts_once(client, path, data.clone(), &mark).await else {
            return Ok(());
        };
        if has_mark(client, path, &mark).await {
            return Ok(());
        }
        let may_pass = matches!(error, object_store::Error::Generic { .. });
        if !may_pass || attempt >= client.retries.min(MOST_RETRIES) {
            return Err(error);
        }
        tokio::time::sleep(PAUSE * (1 << attempt)).await;
        attempt += 1;
    }
}

async fn put_parts_once(
    client: &Client,
    path: &Path,
    mut data: Bytes,
    mark: &str,
) -> object_store::Result<()> {
    let marked = (Attribute::Metadata(MARK.into()), AttributeValue::from(mark.to_owned()));
    let options =
        PutMultipartOptions { attributes: Attributes::from_iter([marked]), ..Default::default() };
    let upload = client.store.put_multipart_opts(path, options).await?;
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    while !data.is_empty() {
        if let Err(error) = parts.wait_for_capacity(PARTS).await {
            // What was sent is given up; that this fails, too, changes nothing for the object.
            let _ = parts.abort().await;
            return Err(error);
        }
        parts.put(data.split_to(data.len().min(PART_BYTES)));
    }
    parts.finish().await.map(|_| ())
}

/// Different in each process, in forked ones too.
fn new_mark() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (process, nanos) = (std::process::id(), now.as_nanos());
    format!("{:016x}{process:08x}{nanos:x}", RandomState::new().hash_one((process, nanos)))
}

async fn has_mark(client: &Client, path: &Path, mark: &str) -> bool {
    let options = GetOptions { head: true, ..GetOptions::default() };
    let found = client.store.get_opts(path, options).await;
    let key = Attribute::Metadata(MARK.into());
    found.is_ok_and(|found| found.attributes.get(&key).is_some_and(|held| held.as_ref() == mark))
}
