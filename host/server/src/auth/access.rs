//! Who is let in on which address: decided when the server starts.
//!
//! It must never come to an address that others can reach where nobody is asked for a signature, unless that is what the
//! command line says in so many words.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use stepwell_store::{Store, StoreLocation};

use super::{AccessKeys, Auth};
use crate::cli::serve_args::{AuthMode, ServeArgs};
use crate::modules::Modules;
use crate::server::Server;

/// What those are told who start the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Everybody for a signature.
    Everybody,
    /// Nobody, and nobody else reaches it.
    Nobody,
    /// Nobody, and others may reach it.
    NobodyThoughReachable,
}

impl Asks {
    pub(crate) fn of(server: &Server, address: SocketAddr) -> Asks {
        match (server.auth.is_required(), address.ip().is_loopback()) {
            (true, _) => Asks::Everybody,
            (false, true) => Asks::Nobody,
            (false, false) => Asks::NobodyThoughReachable,
        }
    }
}

/// Reads the access keys, and refuses an address that they do not guard.
pub(crate) async fn auth(
    args: &ServeArgs,
    address: SocketAddr,
    store: &Store,
    modules: &Arc<Modules>,
) -> anyhow::Result<Auth> {
    let seal = modules.secrets().seal().clone();
    let keys = AccessKeys::open(store.clone(), seal, modules.accounts().clone(), args.rate_limit);
    let keys = keys.await.context("cannot read the access keys")?;
    let is_loopback = address.ip().is_loopback();
    let (has_keys, off) = (keys.any(), args.auth == AuthMode::Off);
    if !is_loopback && !args.allow_unauthenticated && (off || !has_keys) {
        return Err(refusal(address, off, &args.store));
    }
    let auth = Auth::new(keys, off, is_loopback && !args.allow_unauthenticated, args.rate_limit);
    if auth.is_off() && has_keys {
        tracing::warn!("--auth off: access keys are there, and nobody is asked for a signature");
    }
    Ok(auth)
}

fn refusal(address: SocketAddr, off: bool, store: &StoreLocation) -> anyhow::Error {
    let why = if off { "--auth off asks nobody for a signature" } else { "there is no access key yet" };
    let key = match store {
        StoreLocation::Memory => "use a store on disk and make an access key in it".to_owned(),
        StoreLocation::Sled(_) | StoreLocation::Redb(_) if off => "leave --auth off away".to_owned(),
        StoreLocation::Sled(_) | StoreLocation::Redb(_) => {
            format!("make one first: stepwell key create --policy admin --store {store}")
        }
    };
    anyhow!(
        "not listening on {address}: it can be reached from other machines, and {why}. Either {key}; or listen on \
         127.0.0.1; or say --allow-unauthenticated, if everybody who reaches it may do everything"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let address = "0.0.0.0:8083".parse().unwrap();
        let sled = StoreLocation::Sled("d".into());
        let text = refusal(address, false, &sled).to_string();
        assert!(text.contains("stepwell key create --policy admin --store sled:d"), "{text}");
        for (off, store) in [(false, &sled), (true, &sled), (false, &StoreLocation::Memory)] {
            let text = refusal(address, off, store).to_string();
            assert!(text.contains("--allow-unauthenticated") && text.contains("0.0.0.0:8083"), "{text}");
        }
    }
}
