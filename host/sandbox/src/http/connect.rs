//! Makes a connection: name to addresses, addresses through the rules, connection to exactly one of those.
//!
//! This is where DNS rebinding ends: a name is looked up once per request, and what is connected to is the checked address. No
//! name may ever reach the system's `connect`.

use super::address::Reach;
use super::failure::{self, Failure};
use super::permits;
use super::policy::{Host, Target};
use super::tls::Tls;
use crate::limits;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use wasmtime_wasi::async_trait;
use wasmtime_wasi_http::Error;

/// Looks up names and dials addresses. The system's, but in tests.
#[async_trait]
pub(super) trait Network: Send + Sync {
    /// Returns the addresses of a name, the best one first.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Connects to an address.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// The system's resolver.
pub(super) struct System;

#[async_trait]
impl Network for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permit = permits::lookup().await;
        let name = name.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            // The permit stays with the thread: nothing can stop the system's lookup, also when nobody waits for it any more.
            let _permit = permit;
            (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        found.await.map_err(io::Error::other)?
    }
}

/// Makes connections that rules allow.
pub(super) struct Connector {
    network: Box<dyn Network>,
    pub(super) tls: Tls,
}

static SYSTEM: LazyLock<Arc<Connector>> = LazyLock::new(|| Arc::new(Connector::new(System, Tls::system())));

impl Connector {
    /// Combines a network and authorities.
    pub(super) fn new(network: impl Network + 'static, tls: Tls) -> Self {
        Self { network: Box::new(network), tls }
    }

    /// Returns the system's.
    pub(super) fn system() -> Arc<Self> {
        Arc::clone(&SYSTEM)
    }

    /// Connects to a target, within `time` from now. Each of its allowed addresses gets an equal share of the time that is left.
    ///
    /// # Errors
    /// No address, none that is allowed, or none that answers: then the last one's failure.
    pub(super) async fn connect(
        &self,
        target: &Target,
        reach: &Reach,
        time: Duration,
    ) -> Result<TcpStream, Failure> {
        let deadline = Instant::now() + time;
        let addresses = self.addresses(&target.host, reach, time).await?;
        let mut last = Error::DestinationNotFound;
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let addresses_left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let dialled = self.network.dial(SocketAddr::new(*address, target.port));
            last = match timeout(left / addresses_left, dialled).await {
                Ok(Ok(stream)) => {
                    // Small requests must not wait for a full packet. Where this fails, they are slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure::of_io(&error),
                Err(_) => Error::ConnectionTimeout,
            };
        }
        Err(last.into())
    }

    /// Returns the addresses of a host that may be connected to.
    async fn addresses(&self, host: &Host, reach: &Reach, time: Duration) -> Result<Vec<IpAddr>, Failure> {
        let mut addresses = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let time = time.min(limits::LOOKUP_TIMEOUT);
                let found = timeout(time, self.network.resolve(name)).await.map_err(|_| Error::DnsTimeout)?;
                found.map_err(|_| Error::DnsError { rcode: None, info_code: None })?
            }
        };
        let Some(&first) = addresses.first() else {
            return Err(Error::DnsError { rcode: None, info_code: None }.into());
        };
        addresses.retain(|address| reach.permits(*address));
        addresses.truncate(limits::MAX_ADDRESSES);
        if addresses.is_empty() {
            let reason = format!("its host's address {first} is not public, and no rule that fits names it");
            return Err(Failure::denied(Error::DestinationIpProhibited, reason));
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks a name up with the system's resolver and returns what may be connected to, or the error's name.
    async fn allowed(name: &str, networks: &[&str]) -> Result<Vec<IpAddr>, String> {
        let reach = Reach {
            address: None,
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        let host = Host::Name(name.to_owned());
        let found = Connector::system().addresses(&host, &reach, Duration::from_secs(10)).await;
        found.map_err(|failure| format!("{:?}", failure.error))
    }

    #[tokio::test]
    async fn other_writings_of_loopback_are_not_connected_to() {
        // The policy lets none of these through. Should it ever, what the system makes of them is checked all the same.
        for name in ["127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "localhost"]
        {
            let refusal = allowed(name, &[]).await.unwrap_err();
            assert!(
                refusal == "DestinationIpProhibited" || refusal.starts_with("DnsError"),
                "{name}: {refusal}"
            );
        }
        assert_eq!(allowed("127.1", &[]).await.unwrap_err(), "DestinationIpProhibited");
        assert_eq!(allowed("127.1", &["127.0.0.0/8"]).await, Ok(vec!["127.0.0.1".parse().unwrap()]));
    }
}
