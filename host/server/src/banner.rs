//! What `stepwell serve` says when it is ready: where it listens, where the data are, how to point clients at it.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::auth::access::Asks;
use crate::cli::serve_args::VirtualClockMode;
use crate::server::Identity;

/// Prints the banner to standard output. A closed output is no reason to stop serving.
pub(crate) fn print(
    address: SocketAddr,
    has_tls: bool,
    store: &str,
    identity: &Identity,
    virtual_clock: Option<VirtualClockMode>,
    asks: Asks,
) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text(address, has_tls, store, identity, virtual_clock, asks).as_bytes());
    let _ = output.flush();
}

fn text(
    address: SocketAddr,
    has_tls: bool,
    store: &str,
    identity: &Identity,
    virtual_clock: Option<VirtualClockMode>,
    asks: Asks,
) -> String {
    let scheme = if has_tls { "https" } else { "http" };
    let endpoint = format!("{scheme}://{}", reachable(address));
    let Identity { account, region } = identity;
    let version = env!("CARGO_PKG_VERSION");
    let clock = match virtual_clock {
        None => "",
        Some(VirtualClockMode::Auto) => "  clock         VIRTUAL: waits are skipped; for tests only\n",
        Some(VirtualClockMode::Manual) => {
            "  clock         VIRTUAL: `stepwell clock advance` skips time; for tests only\n"
        }
    };
    let (access, clients) = match asks {
        Asks::Everybody => ("", "with an access key of `stepwell key create`"),
        Asks::Nobody => ("", "with any credentials"),
        Asks::NobodyThoughReachable => (
            "  access        OPEN: everybody who reaches this address may do everything\n",
            "with any credentials",
        ),
    };
    format!(
        "\
Stepwell {version}
  listening on  {scheme}://{address}
  store         {store}
  ARNs          region {region}, account {account}
{clock}{access}
Any AWS client works, {clients}:
  aws stepfunctions list-state-machines --region {region} --endpoint-url {endpoint}
  boto3.client(\"stepfunctions\", region_name=\"{region}\", endpoint_url=\"{endpoint}\")
  stepwell --endpoint {endpoint} machine list
For StartSyncExecution and TestState, SDKs must not put `sync-` before the host:
  AWS_DISABLE_HOST_PREFIX_INJECTION=true, or boto3's Config(inject_host_prefix=False)
"
    )
}

/// The address to give to a client on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_an_address_that_they_can_reach() {
        let identity = Identity { account: "123456789012".into(), region: "eu-west-1".into() };
        let address = "0.0.0.0:8083".parse().unwrap();
        let say = |clock| text(address, false, "memory", &identity, clock, Asks::Nobody);
        let text = say(None);
        assert!(text.contains("account 123456789012\n\nAny AWS client"), "{text}");
        for clock in [VirtualClockMode::Auto, VirtualClockMode::Manual] {
            assert!(say(Some(clock)).contains("account 123456789012\n  clock         VIRTUAL: "));
        }
        assert!(text.contains("listening on  http://0.0.0.0:8083\n"), "{text}");
        assert!(text.contains("\n  AWS_DISABLE_HOST_PREFIX_INJECTION=true"), "{text}");
        assert!(text.contains("--region eu-west-1 --endpoint-url http://127.0.0.1:8083\n"), "{text}");
        let open = super::text(address, true, "memory", &identity, None, Asks::NobodyThoughReachable);
        assert!(open.contains("https://0.0.0.0:8083") && open.contains("OPEN: everybody"), "{open}");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("192.0.2.7:1".parse().unwrap()).to_string(), "192.0.2.7:1");
    }
}
