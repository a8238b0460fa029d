//! What HTTP tasks need of this server: its command line, its key for credentials, its networks.
//!
//! It must never hand a sealed text to anybody but the connections.

use std::sync::Arc;

use async_trait::async_trait;
use stepwell_executor::Clock;
use stepwell_integrations::{
    Connections, Exchanges, HttpClient, HttpTaskConfig, HttpTasks, SealedText, Sealing,
};
use stepwell_store::Store;

use crate::cli::serve_args::ServeArgs;
use crate::profile::Profile;
use crate::secrets::{Seal, Sealed};

/// HTTP tasks and what belongs to them.
pub(crate) struct HttpParts {
    pub(crate) connections: Connections,
    pub(crate) tasks: Arc<HttpTasks>,
    /// Through which TestState sees what was sent.
    pub(crate) exchanges: Exchanges,
}

/// Puts them together. `result_bytes`: the largest result of a task.
pub(crate) fn parts(
    args: &ServeArgs,
    result_bytes: usize,
    store: Store,
    seal: Seal,
    clock: Arc<dyn Clock>,
) -> HttpParts {
    let client = Arc::new(HttpClient::new(args.allowed_networks.clone()));
    let strict = args.profile == Profile::Strict;
    let connections = Connections::new(store, Arc::new(seal), Arc::clone(&client), clock, strict);
    let exchanges = Exchanges::default();
    let config = HttpTaskConfig { strict, keeps_error_bodies: args.http_error_bodies, result_bytes };
    let tasks = HttpTasks::new(config, client, connections.clone(), exchanges.clone());
    HttpParts { connections, tasks: Arc::new(tasks), exchanges }
}

#[async_trait]
impl Sealing for Seal {
    async fn seal(&self, owner: &str, text: &str) -> Result<SealedText, String> {
        let Sealed { scheme, nonce, bytes } =
            Seal::seal(self, owner, text).await.map_err(|error| error.to_string())?;
        Ok(SealedText { scheme, nonce, bytes })
    }

    fn open(&self, owner: &str, sealed: &SealedText) -> Result<String, String> {
        let SealedText { scheme, nonce, bytes } = sealed;
        Seal::open(self, owner, scheme, nonce, bytes).map_err(|error| error.to_string())
    }
}
