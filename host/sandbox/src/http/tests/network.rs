//! A network by script: names resolve as the test says, and addresses of the internet lead to servers on this machine.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use stepwell_net::Network;
use tokio::net::TcpStream;
use wasmtime_wasi::async_trait;

/// What names resolve to, and what was dialled.
#[derive(Default)]
pub(crate) struct Script {
    /// The answers for each name, one per lookup; the last one stays.
    answers: Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>,
    /// Where an address of the internet really leads to.
    detours: BTreeMap<IpAddr, SocketAddr>,
    lookups: Mutex<Vec<String>>,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Script {
    /// A name resolves to these addresses, one list after the other.
    pub(super) fn name(self, name: &str, answers: &[&[&str]]) -> Self {
        let answers =
            answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect());
        self.answers.lock().unwrap().insert(name.to_owned(), answers.collect());
        self
    }

    /// An address leads to a server of the test.
    pub(super) fn detour(mut self, address: &str, server: SocketAddr) -> Self {
        self.detours.insert(address.parse().unwrap(), server);
        self
    }

    /// Returns the names that were looked up.
    pub(super) fn lookups(&self) -> Vec<String> {
        self.lookups.lock().unwrap().clone()
    }

    /// Returns the addresses that were dialled.
    pub(super) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(|address| address.ip().to_string()).collect()
    }
}

#[async_trait]
impl Network for Script {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.lookups.lock().unwrap().push(name.to_owned());
        if name == "never.example" {
            std::future::pending::<()>().await;
        }
        let mut answers = self.answers.lock().unwrap();
        let answers = answers.get_mut(name).ok_or_else(|| io::Error::other("no such name"))?;
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        match self.detours.get(&address.ip()) {
            Some(server) => TcpStream::connect(server).await,
            None => TcpStream::connect(address).await,
        }
    }
}
