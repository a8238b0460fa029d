//! Uploads and changes of what `$LATEST` stands for.
//!
//! A module is installed before its record is changed, and a manifest is judged together with the content: what it does
//! not grant must not be imported.

use stepwell_sandbox::Manifest;
use stepwell_store::{Changes, ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord};

use super::error::invalid;
use super::{ModuleError, Modules, Names, grants, revision_id};
use crate::limits;

/// What is to be stored under a name.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// The content.
    pub(crate) wasm: Vec<u8>,
    /// What it may reach; none leaves `$LATEST`'s, and a new module has an empty one.
    pub(crate) manifest: Option<Manifest>,
    /// What clients set and read back; none leaves them.
    pub(crate) settings: Option<ModuleSettings>,
    /// Publish a version in the same step.
    pub(crate) publish: bool,
    /// What must be there.
    pub(crate) expected: Expected,
}

/// What is to be changed of `$LATEST` beside its content.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// What it may reach; none leaves it.
    pub(crate) manifest: Option<Manifest>,
    /// What clients set and read back; none leaves them.
    pub(crate) settings: Option<ModuleSettings>,
    /// What must be there.
    pub(crate) expected: Expected,
}

/// What must be there before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever.
    #[default]
    Any,
    /// Nothing of that name.
    New,
    /// Something of that name with this revision id.
    Revision(String),
}

/// What came of a change.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The module as it is now.
    pub(crate) module: ModuleRecord,
    /// The version that was published with it.
    pub(crate) version: Option<ModuleVersionRecord>,
    /// Whether the name is new.
    pub(crate) new: bool,
    /// What will keep calls from running: names in the manifest that this server does not know.
    pub(crate) warnings: Vec<String>,
}

impl Expected {
    /// Whether what is there is what must be there.
    pub(super) fn check(
        &self,
        what: impl FnOnce() -> String,
        current: Option<&str>,
    ) -> Result<(), ModuleError> {
        match (self, current) {
            (Expected::New, Some(_)) => Err(ModuleError::Exists { name: what() }),
            (Expected::Revision(_), None) => Err(ModuleError::Missing { name: what() }),
            (Expected::Revision(expected), Some(current)) if expected != current => {
                Err(ModuleError::Changed { what: what(), current: current.to_owned() })
            }
            (Expected::Any, _) | (Expected::New, None) | (Expected::Revision(_), Some(_)) => Ok(()),
        }
    }
}

impl Modules {
    /// Stores a module, over what the name stood for. Running calls finish on what they began with.
    ///
    /// Errors: `Rejected`, `Manifest`, `Invalid`, and what `expected` asks for.
    pub(crate) async fn put(&self, name: &str, upload: Upload) -> Result<Stored, ModuleError> {
        let names = Names::of_stored(name);
        check_name(names.shown(name).unwrap_or_default())?;
        let Upload { wasm, manifest, settings, publish, expected } = upload;
        // From here on no content is removed: this one is on disk some time before a name points to it.
        let _uploading = self.contents.uploading().await;
        let before = self.found_record(name).await?;
        expected.check(|| name.to_owned(), before.as_ref().map(|(before, _)| before.revision_id.as_str()))?;
        let manifest = match (manifest, &before) {
            (Some(manifest), _) => manifest,
            (None, Some((before, _))) => grants::stored(&before.latest.manifest)?,
            (None, None) => Manifest::default(),
        };
        let content = self.install(wasm, &manifest).await?;
        let (uploaded, dropped) = (content.sha256.clone(), before.map(|(before, _)| before.latest.sha256));
        let warnings = self.warnings(&names, &manifest).await?;
        let stored = self.store_latest(name, content, settings, publish, &expected, warnings).await;
        // What was replaced; or what was uploaded, when something else has changed the module meanwhile.
        self.doom(if stored.is_ok() {
            dropped.filter(|dropped| *dropped != uploaded)
        } else {
            Some(uploaded)
        });
        self.collect_while_uploading().await;
        stored
    }

    /// Changes what `$LATEST` may reach, or what clients set and read back.
    ///
    /// Errors: `Missing`, `Manifest`, `Rejected` when the content imports what the new manifest does not grant.
    pub(crate) async fn update(&self, name: &str, update: Update) -> Result<Stored, ModuleError> {
        let _uploading = self.contents.uploading().await;
        let (before, _) = self.record(name).await?;
        update.expected.check(|| name.to_owned(), Some(&before.revision_id))?;
        let mut content = before.latest;
        let manifest = match update.manifest {
            Some(manifest) => {
                let Some(source) = self.source(&content.sha256).await? else {
                    return Err(ModuleError::Rejected(
                        "the module's content is lost: upload it again".to_owned(),
                    ));
                };
                let took = content.compile_milliseconds;
                content = self.install(source, &manifest).await?;
                content.compile_milliseconds = content.compile_milliseconds.max(took);
                manifest
            }
            None => grants::stored(&content.manifest)?,
        };
        let warnings = self.warnings(&Names::of_stored(name), &manifest).await?;
        self.store_latest(name, content, update.settings, false, &update.expected, warnings).await
    }

    /// Changes what `$LATEST` may reach.
    pub(crate) async fn set_manifest(&self, name: &str, manifest: Manifest) -> Result<Stored, ModuleError> {
        self.update(name, Update { manifest: Some(manifest), ..Update::default() }).await
    }

    /// Has the sandbox check, compile and keep a content.
    async fn install(&self, wasm: Vec<u8>, manifest: &Manifest) -> Result<ModuleContent, ModuleError> {
        manifest.check()?;
        let installed = self.sandbox.install(wasm, manifest).await?;
        Ok(ModuleContent {
            sha256: installed.digest,
            kind: installed.kind.name().to_owned(),
            adapted: installed.adapted,
            size_bytes: installed.size_bytes,
            compile_milliseconds: installed.compile_milliseconds,
            imports: installed.imports,
            manifest: grants::to_text(manifest)?,
        })
    }

    /// Makes `$LATEST` stand for an installed content.
    async fn store_latest(
        &self,
        name: &str,
        latest: ModuleContent,
        settings: Option<ModuleSettings>,
        publish: bool,
        expected: &Expected,
        warnings: Vec<String>,
    ) -> Result<Stored, ModuleError> {
        let change = self.change(name).await;
        let before = self.found_record(name).await?;
        // Again: compiling takes a while, and other changes do not wait for it.
        expected.check(|| name.to_owned(), before.as_ref().map(|(before, _)| before.revision_id.as_str()))?;
        let (read, new) = (before.as_ref().map(|(_, read)| *read), before.is_none());
        let before = before.map(|(before, _)| before);
        let was = before.clone();
        let now = self.clock.now();
        let mut module = ModuleRecord {
            name: name.to_owned(),
            latest,
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
            next_version: before.as_ref().map_or(1, |before| before.next_version),
            revision_id: revision_id(),
            settings: settings.or_else(|| before.map(|before| before.settings)).unwrap_or_default(),
        };
        check_settings(&module.settings)?;
        let mut changes = Changes::new();
        let runs = |content: &ModuleContent| (content.sha256.clone(), content.manifest.clone());
        if let Some(was) = was.filter(|was| runs(&was.latest) != runs(&module.latest)) {
            change.keep_latest(&mut changes, &was)?;
        }
        let version = if publish { Some(self.next_version(&mut module, None).await?) } else { None };
        if let Some(version) = version.as_ref().filter(|version| version.new) {
            changes.module_version(&version.version)?;
        }
        changes.module(&module, read)?;
        self.commit(change, changes).await?;
        let (sha256, milliseconds) = (&module.latest.sha256, module.latest.compile_milliseconds);
        tracing::info!(name, sha256, milliseconds, "module stored");
        Ok(Stored { module, version: version.map(|published| published.version), new, warnings })
    }
}

/// Errors: `Invalid`.
pub(crate) fn check_name(name: &str) -> Result<(), ModuleError> {
    let right = (1..=limits::MODULE_NAME_CHARACTERS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if right { Ok(()) } else { Err(invalid("name", "a module's name has 1 to 64 letters, digits, - or _")) }
}

/// Bounds what is only kept. Errors: `Invalid`.
fn check_settings(settings: &ModuleSettings) -> Result<(), ModuleError> {
    let texts = [&settings.description, &settings.role, &settings.runtime, &settings.handler];
    let pairs = settings.tags.iter().chain(&settings.others);
    let bytes = texts.into_iter().map(String::len).sum::<usize>()
        + pairs.map(|(key, value)| key.len() + value.len()).sum::<usize>();
    if bytes > limits::MODULE_SETTINGS_BYTES {
        return Err(invalid("settings", "description, tags and the like are longer than 64 KiB together"));
    }
    Ok(())
}
