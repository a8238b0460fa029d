//! UpdateFunctionConfiguration (API reference, section 10). Members that are absent stay as they are.

use super::change::change;
use super::configuration::Snapshot;
use super::name::Target;
use super::request::Call;
use super::settings::Wanted;
use super::{Answer, Reply};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let wanted = Wanted::read(&mut call, false);
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let name = Target::read(&mut call)?.unqualified()?;
    Wanted::check(&call)?;
    let stored = change(server, &name, revision.as_deref(), |settings, manifest| {
        wanted.apply(settings, manifest);
        Ok(())
    });
    Ok(Reply::ok(&Snapshot::of_stored(stored.await?, server)?))
}
