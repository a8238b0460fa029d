//! ListFunctions (API reference, section 10): by name, each with its versions if `FunctionVersion` is `ALL`.

use serde_json::Value;

use super::configuration::Snapshot;
use super::error::LambdaError;
use super::page::Page;
use super::request::Call;
use super::{Answer, Reply};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let all = call.fields.choice("functionVersion", &["ALL"]).is_some();
    let page = Page::read(&mut call);
    call.fields.check()?;
    let scope = ["ListFunctions", if all { "ALL" } else { "" }];
    let after = page.after(server, &scope).await?.unwrap_or_default();
    let (after_name, after_version) = after.split_once(':').unwrap_or((&after, ""));
    let mut found: Vec<(String, Value)> = Vec::new();
    for module in server.modules.list().await? {
        if found.len() >= page.wanted() {
            break;
        }
        let name = module.name.clone();
        // The versions of the last function of the page before may go on here.
        let (known, begun) = (name.as_str() < after_name, name == after_name);
        if known || (begun && !all) {
            continue;
        }
        if !all {
            found.push((name, Snapshot::from(module).to_json(server, None)?));
            continue;
        }
        let after_number: Option<u64> = begun.then(|| after_version.parse().unwrap_or_default());
        if after_number.is_none() {
            found.push((format!("{name}:0"), Snapshot::from(module).to_json(server, Some("$LATEST"))?));
        }
        let versions = server.modules.versions(&name).await;
        for version in versions.map_err(|error| LambdaError::of_modules(error, &server.identity))? {
            if after_number.is_none_or(|after| version.number > after) {
                let (position, snapshot) = (format!("{name}:{}", version.number), Snapshot::from(version));
                let number = snapshot.version.clone();
                found.push((position, snapshot.to_json(server, Some(&number))?));
            }
        }
    }
    Ok(Reply::ok(&page.answer(server, "Functions", found, &scope).await))
}
