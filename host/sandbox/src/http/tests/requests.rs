//! What is sent and what is not, by rule, by address, hop by hop.

use super::network::Script;
use super::server::{Answer, Server};
use super::{TestCall, request};
use serde_json::json;
use wasmtime_wasi_http::WasiHttpHooks;

fn hello() -> Answer {
    Answer::text("200 OK", "hello")
}

#[tokio::test]
async fn a_rule_that_names_the_address_lets_a_request_through() {
    let server = Server::start(hello()).await;
    let port = server.address.port();
    let rules = json!([{"scheme":"http","host":"127.0.0.1","port":port,"methods":["GET","POST"]}]);
    let mut call = TestCall::new(rules, Script::default());
    assert_eq!(call.get(&server.url("/a?b=c")).await.unwrap(), (200, "hello".into()));
    let sent = call.send(request("POST", &server.url(""), "{}"), None).text().await;
    assert_eq!(sent.unwrap(), (200, "hello".into()));
    let expected = [
        format!("GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 2\r\n\r\n"),
    ];
    let heads: Vec<_> = server.heads().iter().map(|head| head.trim_end_matches("{}").to_owned()).collect();
    assert_eq!(heads, expected);
    assert!(call.log().is_empty());
}

#[tokio::test]
async fn every_member_of_a_rule_keeps_requests_out() {
    let server = Server::start(hello()).await;
    let port = server.address.port();
    let rules = json!([{"scheme":"http","host":"127.0.0.1","port":port,"methods":["GET"]}]);
    let mut call = TestCall::new(rules, Script::default());
    for uri in [
        format!("https://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{}/", port ^ 1),
        format!("http://127.0.0.2:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
    ] {
        assert_eq!(call.refusal(&uri).await, "HttpRequestDenied", "{uri}");
        assert_eq!(call.log().len(), 1, "{uri}");
    }
    let sent = call.send(request("PUT", &server.url("/"), "x"), None).text().await;
    assert_eq!(format!("{:?}", sent.unwrap_err()), "HttpRequestDenied");
    assert!(call.network.lookups().is_empty() && call.network.dialled().is_empty());
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn the_log_tells_why_and_nothing_secret() {
    let mut call = TestCall::new(json!([{"host":"api.example","methods":["GET"]}]), Script::default());
    call.refusal("https://other.example/path?token=secret").await;
    call.refusal("https://me:secret@api.example/").await;
    let mut post = request("POST", "https://api.example/secret?secret", "secret");
    post.headers_mut().insert("authorization", "secret".parse().unwrap());
    let _ = call.send(post, None).text().await;
    let long = format!("http://{}/", "a.".repeat(10_000));
    call.refusal(&long).await;
    let lines = call.log();
    let expected = [
        "an HTTP request was denied: GET https://other.example:443: no rule of the manifest names this host",
        "an HTTP request was denied: GET https://api.example: it has a user name before its host",
        "an HTTP request was denied: POST https://api.example:443: \
         the manifest's rules for this host are for other schemes, ports or methods",
    ];
    assert_eq!(lines[..3], expected);
    assert!(lines[3].len() < 500, "{}", lines[3]);
}

#[tokio::test]
async fn a_name_is_connected_to_at_its_public_addresses_only() {
    let server = Server::start(hello()).await;
    let network = Script::default()
        .name("mixed.example", &[&["127.0.0.1", "::1", "93.184.216.34", "10.0.0.1"]])
        .name("private.example", &[&["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"]])
        .name("metadata.example", &[&["169.254.169.254"]])
        .name("empty.example", &[&[]])
        .detour("93.184.216.34", server.address);
    let mut call = TestCall::new(json!([{"scheme":"http","host":"*.example"}]), network);
    assert_eq!(call.get("http://Mixed.Example./").await.unwrap().0, 200);
    assert_eq!(call.network.dialled(), ["93.184.216.34"]);
    assert!(server.heads()[0].contains("host: mixed.example\r\n"), "{:?}", server.heads());
    assert_eq!(call.refusal("http://private.example/").await, "DestinationIpProhibited");
    assert_eq!(call.refusal("http://metadata.example/").await, "DestinationIpProhibited");
    let expected = "an HTTP request was denied: GET http://private.example:80: \
                    its host's address 10.0.0.1 is not public, and no rule that fits names it";
    assert_eq!(call.log()[0], expected);
    for host in ["empty", "unknown"] {
        let refusal = call.refusal(&format!("http://{host}.example/")).await;
        assert_eq!(refusal, "DnsError { rcode: None, info_code: None }", "{host}");
    }
    assert_eq!(call.network.dialled(), ["93.184.216.34"]);
}

#[tokio::test]
async fn a_rule_names_networks_that_a_name_may_resolve_to() {
    let server = Server::start(hello()).await;
    let port = server.address.port();
    let network = Script::default()
        .name("db.example", &[&["127.0.0.1"]])
        .name("other.example", &[&["127.0.0.1"]])
        .name("away.example", &[&["127.1.0.1"]]);
    let named = json!({"scheme":"http","host":"db.example","port":port,"networks":["127.0.0.1/32"]});
    let away = json!({"scheme":"http","host":"away.example","port":port,"networks":["127.0.0.1/32"]});
    let other = json!({"scheme":"http","host":"other.example","port":port});
    let mut call = TestCall::new(json!([named, away, other]), network);
    assert_eq!(call.get(&format!("http://db.example:{port}/")).await.unwrap().0, 200);
    // The networks of one rule do not help a host of another.
    for host in ["other", "away"] {
        let refusal = call.refusal(&format!("http://{host}.example:{port}/")).await;
        assert_eq!(refusal, "DestinationIpProhibited", "{host}");
    }
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (inside, outside) = (Server::start(hello()).await, Server::start(hello()).await);
    let network = Script::default()
        .name("rebind.example", &[&["93.184.216.34"], &["127.0.0.1"]])
        .detour("93.184.216.34", outside.address)
        .detour("127.0.0.1", inside.address);
    let mut call = TestCall::new(json!([{"scheme":"http","host":"rebind.example"}]), network);
    assert_eq!(call.get("http://rebind.example/").await.unwrap().0, 200);
    // One lookup for the check and the connection; the next request's answer is checked anew.
    assert_eq!(call.network.lookups(), ["rebind.example"]);
    assert_eq!(call.refusal("http://rebind.example/").await, "DestinationIpProhibited");
    assert_eq!(call.network.dialled(), ["93.184.216.34"]);
    assert_eq!((outside.heads().len(), inside.heads().len()), (1, 0));
}

#[tokio::test]
async fn each_allowed_address_is_tried() {
    let server = Server::start(hello()).await;
    // Nobody listens on the server's port of the first address.
    let network = Script::default().name("two.example", &[&["127.0.0.9", "127.0.0.1"]]);
    let port = server.address.port();
    let rule = json!([{"scheme":"http","host":"two.example","port":port,"networks":["127.0.0.0/8"]}]);
    let mut call = TestCall::new(rule, network);
    assert_eq!(call.get(&format!("http://two.example:{port}/")).await.unwrap().0, 200);
    assert_eq!(call.network.dialled(), ["127.0.0.9", "127.0.0.1"]);
    drop(server);
    let refusal = call.refusal(&format!("http://two.example:{port}/")).await;
    assert_eq!(refusal, "ConnectionRefused");
}

#[tokio::test]
async fn addresses_of_ipv6_have_rules_like_any_other() {
    let server = Server::on("[::1]:0", hello()).await;
    let port = server.address.port();
    for host in ["::1", "[::1]", "[0:0::0:1]"] {
        let mut call = TestCall::new(json!([{"scheme":"http","host":host,"port":port}]), Script::default());
        assert_eq!(call.get(&format!("http://[::1]:{port}/")).await.unwrap().0, 200);
        assert_eq!(call.get(&format!("http://[0::1]:{port}/")).await.unwrap().0, 200);
    }
    assert!(server.heads()[0].contains(&format!("host: [::1]:{port}\r\n")));
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_checked() {
    let inside = Server::start(hello()).await;
    let hop = Answer::text(&format!("302 Found\r\nlocation: {}", inside.url("/admin")), "");
    let first = Server::start(hop).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":first.address.port()}]);
    let mut call = TestCall::new(rule, Script::default());
    let (response, _rest) = call.send(request("GET", &first.url("/"), ""), None).head().await.unwrap();
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(call.refusal(&location).await, "HttpRequestDenied");
    assert!(inside.heads().is_empty());
}

#[tokio::test]
async fn the_host_header_is_the_hosts_own() {
    let server = Server::start(hello()).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::new(rule, Script::default());
    for name in ["host", "connection", "transfer-encoding", "upgrade", "proxy-authorization"] {
        let name = http::HeaderName::from_static(name);
        assert!(call.http.is_forbidden_header(&name), "{name}");
        assert!((call.http.forbidden_header_filter())(&name), "{name}");
    }
    assert!(!call.http.is_forbidden_header(&http::header::AUTHORIZATION));
    // Should one ever get here, it is replaced.
    let mut forged = request("GET", &server.url("/"), "");
    forged.headers_mut().append("host", "evil.example".parse().unwrap());
    forged.headers_mut().append("host", "evil.example".parse().unwrap());
    call.send(forged, None).text().await.unwrap();
    assert!(!server.heads()[0].contains("evil"), "{:?}", server.heads());
}

#[tokio::test]
async fn requests_under_way_are_bounded() {
    let open = Answer::Open(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel".to_vec());
    let server = Server::start(open).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::with(rule, Script::default(), stepwell_net::Tls::system(), 2);
    let get = || request("GET", &server.url("/"), "");
    let one = call.send(get(), None).head().await.unwrap();
    let two = call.send(get(), None).head().await.unwrap();
    assert_eq!(call.refusal(&server.url("/")).await, "ConnectionLimitReached");
    assert!(call.log()[0].contains("the call has 2 requests under way"));
    drop(one);
    let three = call.send(get(), None);
    assert_eq!(call.refusal(&server.url("/")).await, "ConnectionLimitReached");
    drop((two, three));
    tokio::task::yield_now().await;
    call.send(get(), None).head().await.unwrap();
}

#[tokio::test]
async fn a_finished_body_makes_room_while_its_handle_stays() {
    let server = Server::start(hello()).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::with(rule, Script::default(), stepwell_net::Tls::system(), 1);
    let (response, _rest) = call.send(request("GET", &server.url("/"), ""), None).head().await.unwrap();
    let mut body = response.into_body();
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        frame.unwrap();
    }
    assert_eq!(call.get(&server.url("/")).await.unwrap().0, 200);
    drop(body);
}
