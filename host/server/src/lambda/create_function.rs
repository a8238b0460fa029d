//! CreateFunction (API reference, section 10).

use axum::http::StatusCode;
use stepwell_sandbox::Manifest;
use stepwell_store::ModuleSettings;

use super::code::Code;
use super::configuration::Snapshot;
use super::error::LambdaError;
use super::name::Target;
use super::request::Call;
use super::settings::{self, Wanted};
use super::{Answer, Reply, tags};
use crate::modules::{Expected, Upload};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let wanted = Wanted::read(&mut call, true);
    let tags = settings::texts(&mut call, "tags").unwrap_or_default();
    let publish = call.fields.boolean("publish").unwrap_or_default();
    let package_type = call.fields.choice("packageType", &["Zip", "Image"]);
    call.fields.require("code");
    let name = Target::read(&mut call)?.unqualified()?;
    Wanted::check(&call)?;
    tags::check(&tags)?;
    if package_type == Some("Image") {
        return Err(LambdaError::InvalidParameterValue(
            "Container images are not offered by this release of Stepwell: send a module in ZipFile"
                .to_owned(),
        ));
    }
    let code = Code::read(server, &call, "code.", call.text("handler").unwrap_or_default()).await?;
    let mut settings = ModuleSettings { tags, ..ModuleSettings::default() };
    let mut manifest = code.manifest.unwrap_or_else(Manifest::default);
    wanted.apply(&mut settings, &mut manifest);
    settings::note_package(&mut settings, &code.sha256, &code.package);
    let upload = Upload {
        wasm: code.wasm,
        manifest: Some(manifest),
        settings: Some(settings),
        publish,
        expected: Expected::New,
    };
    let stored = server.modules.put(&name, upload).await;
    let stored = stored.map_err(|error| LambdaError::of_modules(error, &server.identity))?;
    Ok(Reply::json(StatusCode::CREATED, &Snapshot::of_stored(stored, server)?))
}
