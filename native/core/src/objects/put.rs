//! One object written or removed, all or nothing.

use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};

use super::get::{failed, path_of};
use super::runtime::Client;
use crate::error::Result;

/// Objects from here on go up in parts, which are tried again one by one.
const MULTIPART_BYTES: usize = 32 << 20;

/// Size of a part.
const PART_BYTES: usize = 8 << 20;

/// Parts of one object under way.
const PARTS: usize = 8;

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

async fn put_parts(
    client: &Client,
    path: &object_store::path::Path,
    mut data: Bytes,
) -> object_store::Result<()> {
    let upload = client.store.put_multipart(path).await?;
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
