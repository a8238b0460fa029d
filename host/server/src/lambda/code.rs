//! Uploaded code: a module as it is, or an archive with one in it, as base64 in a member (Lambda API: FunctionCode), and
//! the address from which it can be had back.

use axum::extract::{Path, Request};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stepwell_executor::{Clock as _, SystemClock};
use stepwell_sandbox::Manifest;

use super::error::LambdaError;
use super::request::{Call, decoded};
use super::settings::Package;
use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::auth::Caller;
use crate::auth::sigv4::{Credentials, presigned_query};
use crate::limits;
use crate::modules::{ModuleError, archive};
use crate::rest::RestError;
use crate::server::Server;

/// An upload, unpacked.
pub(crate) struct Code {
    pub(crate) wasm: Vec<u8>,
    /// SHA-256 of the module, hexadecimal.
    pub(crate) sha256: String,
    /// What the archive says about the module.
    pub(crate) manifest: Option<Manifest>,
    /// The uploaded file.
    pub(crate) package: Package,
}

impl Code {
    /// Takes the file out of the members that begin with `prefix`. `handler` is the function's: it may name the module
    /// in an archive.
    ///
    /// Errors: InvalidParameterValue when there is no file, or none that can be unpacked.
    pub(crate) async fn read(
        server: &Server,
        call: &Call,
        prefix: &str,
        handler: &str,
    ) -> Result<Code, LambdaError> {
        let member = |name: &str| format!("{prefix}{name}");
        for (other, name) in [("s3Bucket", "S3Bucket"), ("s3Key", "S3Key"), ("imageUri", "ImageUri")] {
            if call.fields.value(&member(other)).is_some() {
                return Err(LambdaError::InvalidParameterValue(format!(
                    "{name} is not offered by this release of Stepwell: send the code in ZipFile"
                )));
            }
        }
        let file = match call.fields.value(&member("zipFile")) {
            Some(Value::String(text)) => STANDARD
                .decode(text)
                .map_err(|_| ApiError::Serialization("The member ZipFile is not base64".to_owned()))?,
            Some(_) => {
                return Err(ApiError::Serialization("The member ZipFile is not a Blob".to_owned()).into());
            }
            None => {
                return Err(LambdaError::InvalidParameterValue(
                    "Please provide a source for function code.".to_owned(),
                ));
            }
        };
        // Digests of large files take a while.
        let hashed = move || (STANDARD.encode(Sha256::digest(&file)), file);
        let (sha256, file) = blocking(hashed).await?;
        let package = Package { sha256, size_bytes: file.len() as u64 };
        let handler = Some(handler).filter(|handler| !handler.is_empty());
        let unpacked = archive::unpack(file, handler, server.modules.max_bytes).await;
        let unpacked = unpacked.map_err(|error| LambdaError::of_modules(error, &server.identity))?;
        let (wasm, manifest) = (unpacked.wasm, unpacked.manifest);
        let hashed = move || (format!("{:x}", Sha256::digest(&wasm)), wasm);
        let (sha256, wasm) = blocking(hashed).await?;
        Ok(Code { wasm, sha256, manifest, package })
    }
}

/// Does work that takes a while off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LambdaError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error).into())
}

/// Where the code of a function can be had, as the client that sent `call` reaches this server. Where requests are signed,
/// the address is, too, and holds for ten minutes.
pub(crate) fn location(server: &Server, call: &Call, name: &str, version: &str) -> String {
    let host = call.header("host").unwrap_or("localhost");
    let scheme = call.header("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let path = format!("/modules/{name}/code");
    let mut query = format!("qualifier={}", version.replace('$', "%24"));
    if let Caller::Key(key) = &server.caller
        && let Some(secret) = key.secret()
    {
        let credentials = Credentials {
            key_id: key.id().to_owned(),
            secret: secret.to_owned(),
            region: server.identity.region.clone(),
        };
        let signed = (path.as_str(), query.as_str(), host);
        query = presigned_query(&credentials, "stepwell", signed, SystemClock.now(), limits::CODE_ADDRESS);
    }
    format!("{scheme}://{host}{path}?{query}")
}

/// `GET /modules/{name}/code?qualifier=`: the module as it was uploaded, without the archive that it came in.
pub(crate) async fn download(
    AsCaller(server): AsCaller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, RestError> {
    let query = request.uri().query().unwrap_or_default();
    let qualifier = query.split('&').find_map(|part| part.strip_prefix("qualifier="));
    let qualifier = qualifier.map(|text| decoded(text).unwrap_or_else(|_| text.to_owned()));
    let found = server.modules.get(&name, qualifier.as_deref()).await?;
    let Some(wasm) = server.modules.source(&found.content().sha256).await? else {
        // Removed between the look-up and now.
        return Err(ModuleError::Missing { name }.into());
    };
    let kind = HeaderValue::from_static("application/wasm");
    Ok(([(header::CONTENT_TYPE, kind)], wasm).into_response())
}
