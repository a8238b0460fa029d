//! Writing an object into the directory: aside, then under its name.
//!
//! It must never show a part of an object, and leaves nothing when it is given up.

use super::facts::{self, Facts};
use super::{Place, apart, rename, tree};
use crate::objects::{Attributes, ObjectError, ObjectHead, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use rustix::fs::AtFlags;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use tree::failure;

pub(super) struct DirectoryUpload {
    /// None while bytes are being written, and for ever when that was given up.
    state: Option<Unfinished>,
    key: String,
    attributes: Attributes,
}

struct Unfinished {
    place: Place,
    aside: OwnedFd,
    name: String,
    file: File,
    md5: Md5,
    renamed: bool,
}

impl DirectoryUpload {
    pub(super) fn begin(
        place: Place,
        key: String,
        attributes: Attributes,
    ) -> Result<DirectoryUpload, ObjectError> {
        super::segments(&key)?;
        let aside = place.unfinished().map_err(failure)?;
        let name = uuid::Uuid::new_v4().to_string();
        let file = tree::create_file(&aside, &name).map_err(failure)?;
        let state = Unfinished { place, aside, name, file, md5: Md5::new(), renamed: false };
        Ok(DirectoryUpload { state: Some(state), key, attributes })
    }
}

#[async_trait]
impl Upload for DirectoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), ObjectError> {
        let mut state = self.state.take().ok_or_else(given_up)?;
        let state = apart(move || {
            state.md5.update(&bytes);
            state.file.write_all(&bytes).map_err(|error| written(&error))?;
            Ok(state)
        });
        self.state = Some(state.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectHead, ObjectError> {
        let state = self.state.take().ok_or_else(given_up)?;
        let (key, attributes) = (std::mem::take(&mut self.key), std::mem::take(&mut self.attributes));
        apart(move || state.finish(&key, attributes)).await
    }
}

impl Unfinished {
    fn finish(mut self, key: &str, attributes: Attributes) -> Result<ObjectHead, ObjectError> {
        self.file.sync_all().map_err(|error| written(&error))?;
        let stat = rustix::fs::fstat(&self.file).map_err(failure)?;
        let etag = format!("\"{}\"", facts::hex(&self.md5.finalize_reset()));
        let facts = Facts::new(&stat, etag, attributes);
        // The facts first: they count for this file only, and the object has its ETag from the first moment.
        self.write_facts(key, &facts)?;
        let (directory, name) = self.place.make_way(key)?;
        rename(&self.aside, &self.name, directory, name)?;
        self.renamed = true;
        Ok(facts::head(key, &stat, Some(facts)))
    }

    fn write_facts(&self, key: &str, facts: &Facts) -> Result<(), ObjectError> {
        let text = serde_json::to_vec(facts).map_err(|error| ObjectError::Invalid(error.to_string()))?;
        if text.len() as u64 > super::FACTS_BYTES {
            return Err(ObjectError::Invalid(
                "Your metadata headers exceed the maximum allowed metadata size".to_owned(),
            ));
        }
        let name = format!("{}.facts", self.name);
        let mut file = tree::create_file(&self.aside, &name).map_err(failure)?;
        let stored = file.write_all(&text).and_then(|()| file.sync_all()).map_err(|error| written(&error));
        let directory = self.place.facts_directory(true).map_err(failure);
        let stored = stored.and_then(|()| rename(&self.aside, &name, directory?, &facts::file_name(key)));
        if stored.is_err() {
            let _ = rustix::fs::unlinkat(&self.aside, &name, AtFlags::empty());
        }
        stored
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = rustix::fs::unlinkat(&self.aside, &self.name, AtFlags::empty());
        }
    }
}

fn written(error: &io::Error) -> ObjectError {
    ObjectError::Unavailable(format!("The object cannot be written: {error}"))
}

fn given_up() -> ObjectError {
    ObjectError::Unavailable("Writing the object was given up.".to_owned())
}
