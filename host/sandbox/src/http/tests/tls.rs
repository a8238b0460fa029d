//! https against certificates of an authority that is made up on the spot.

use super::network::Script;
use super::server::{Answer, Server, serve};
use super::{TestCall, request};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use stepwell_net::Tls;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The authority that the tests trust.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(authority);

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Authority { issuer: Issuer::new(params, key), certificate }
}

fn trusted() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(AUTHORITY.certificate.clone()).unwrap();
    store
}

/// Starts a server that has a certificate for these names.
async fn start(authority: &Authority, names: &[&str]) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Answer::text("200 OK", "hello"), &Mutex::default()).await;
                }
            });
        }
    });
    address
}

fn rules(port: u16) -> Value {
    json!([
        {"host":"*.example","port":port,"networks":["127.0.0.0/8"]},
        {"host":"127.0.0.1","port":port},
    ])
}

fn network() -> Script {
    Script::default().name("one.shop.example", &[&["127.0.0.1"]]).name("two.shop.example", &[&["127.0.0.1"]])
}

/// Sends a request to each host; returns status or error.
async fn answers(address: SocketAddr, tls: Tls) -> [String; 3] {
    let mut call = TestCall::with(rules(address.port()), network(), tls, 64);
    let mut answers = [const { String::new() }; 3];
    for (host, answer) in ["one.shop.example", "two.shop.example", "127.0.0.1"].iter().zip(&mut answers) {
        let uri = format!("https://{host}:{}/", address.port());
        let sent = call.send(request("GET", &uri, ""), None).text().await;
        *answer = sent.map_or_else(|error| format!("{error:?}"), |(status, _)| status.to_string());
    }
    answers
}

#[tokio::test]
async fn a_certificate_must_fit_the_host() {
    let shop = start(&AUTHORITY, &["one.shop.example"]).await;
    let refused = "TlsCertificateError";
    assert_eq!(answers(shop, Tls::with(trusted)).await, ["200", refused, refused]);
    let wild = start(&AUTHORITY, &["*.shop.example", "127.0.0.1"]).await;
    assert_eq!(answers(wild, Tls::with(trusted)).await, ["200", "200", "200"]);
}

#[tokio::test]
async fn a_certificate_must_be_signed_by_somebody_trusted() {
    let shop = start(&authority(), &["one.shop.example", "two.shop.example", "127.0.0.1"]).await;
    assert_eq!(answers(shop, Tls::with(trusted)).await, ["TlsCertificateError"; 3]);
    assert_eq!(answers(shop, Tls::system()).await, ["TlsCertificateError"; 3]);
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let server = Server::start(Answer::text("200 OK", "hello")).await;
    let mut call = TestCall::with(rules(server.address.port()), network(), Tls::with(trusted), 64);
    let uri = format!("https://one.shop.example:{}/", server.address.port());
    // The server waits for an empty line that never comes.
    let options = wasmtime_wasi_http::RequestOptions {
        connect_timeout: Some(std::time::Duration::from_millis(200)),
        ..Default::default()
    };
    let sent = call.send(request("GET", &uri, ""), Some(options)).text().await;
    assert_eq!(format!("{:?}", sent.unwrap_err()), "ConnectionTimeout");
    // And one that answers at once.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let mut call = TestCall::with(rules(address.port()), network(), Tls::with(trusted), 64);
    assert_eq!(
        call.refusal(&format!("https://one.shop.example:{}/", address.port())).await,
        "TlsProtocolError"
    );
    drop(task.await);
}
