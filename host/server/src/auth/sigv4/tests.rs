//! AWS's published test vectors ("Signature Version 4 test suite"), and what a verifier must not take.

use axum::http::request::Parts;
use axum::http::{Method, Request};
use stepwell_asl::Timestamp;

use super::canonical::{EMPTY_SHA256, sha256_hex};
use super::signature::{basic, parse_basic};
use super::{Claim, Credentials, Unsigned, authorization, presigned_query};
use crate::auth::AuthError;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SCOPE: &str = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
const MOMENT: &str = "20150830T123600Z";

fn noon() -> Timestamp {
    parse_basic(MOMENT).unwrap()
}

fn after(seconds: i64) -> Timestamp {
    noon().plus_milliseconds(seconds * 1_000)
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn signed(method: &str, uri: &str, headers: &[(&str, &str)], names: &str, signature: &str) -> Parts {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={names}, Signature={signature}");
    let own = [("host", "example.amazonaws.com"), ("x-amz-date", MOMENT), ("authorization", &authorization)];
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain(own).collect();
    request(method, uri, &headers)
}

fn verify(parts: &Parts, body: &str, at: Timestamp) -> Result<(), AuthError> {
    let claim = Claim::read(parts)?;
    claim.check_scope("us-east-1", "service", at)?;
    let told = claim.payload_sha256()?.map(str::to_owned);
    claim.verify(SECRET, parts, &told.unwrap_or_else(|| sha256_hex(body.as_bytes())))
}

#[test]
fn the_published_vectors_are_right() {
    type Vector<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);
    let vectors: [Vector<'_>; 7] = [
        (
            "GET",
            "/",
            &[],
            "host;x-amz-date",
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            "host;x-amz-date",
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            &[],
            "host;x-amz-date",
            "",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "GET",
            "/",
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            "host;my-header1;my-header2;x-amz-date",
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "GET",
            "/",
            &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
            "host;my-header1;x-amz-date",
            "",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "POST",
            "/",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("content-length", "13"),
                ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
            ],
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            "Param1=value1",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
        // The specification's path with a character outside ASCII.
        (
            "GET",
            "/\u{1234}",
            &[],
            "host;x-amz-date",
            "",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
    ];
    for (method, uri, headers, names, body, signature) in vectors {
        let parts = signed(method, uri, headers, names, signature);
        assert_eq!(verify(&parts, body, noon()), Ok(()), "{method} {uri} {headers:?}");
    }
}

#[test]
fn anything_that_is_signed_cannot_be_changed() {
    let right = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let vanilla = signed("GET", "/", &[], "host;x-amz-date", right);
    assert_eq!(verify(&vanilla, "", noon()), Ok(()));
    assert_eq!(verify(&vanilla, "x", noon()), Err(AuthError::mismatch()), "the body");
    let mut changed: Vec<Parts> = vec![
        signed("POST", "/", &[], "host;x-amz-date", right),
        signed("GET", "/a", &[], "host;x-amz-date", right),
        signed("GET", "/?a=", &[], "host;x-amz-date", right),
        signed("GET", "/", &[], "host;x-amz-date", &right.replace("5fa", "5fb")),
        signed("GET", "/", &[("a", "b")], "a;host;x-amz-date", right),
    ];
    let mut other_host = vanilla.clone();
    other_host.headers.insert("host", "example.amazonaws.com:8083".parse().unwrap());
    changed.push(other_host);
    for parts in changed {
        assert_eq!(verify(&parts, "", noon()), Err(AuthError::mismatch()), "{parts:?}");
    }
    let claim = Claim::read(&vanilla).unwrap();
    assert_eq!(claim.verify("other", &vanilla, EMPTY_SHA256), Err(AuthError::mismatch()));
}

#[test]
fn a_signature_holds_for_five_minutes_either_way_and_for_its_scope() {
    let right = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let parts = signed("GET", "/", &[], "host;x-amz-date", right);
    for seconds in [-300, 0, 300] {
        assert_eq!(verify(&parts, "", after(seconds)), Ok(()), "{seconds}");
    }
    let message = |at| verify(&parts, "", at).unwrap_err().to_string();
    assert_eq!(
        message(after(301)),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert!(
        message(after(-301)).starts_with("Signature not yet current: 20150830T123600Z is still later than")
    );
    let claim = Claim::read(&parts).unwrap();
    for (region, service) in [("eu-west-1", "service"), ("us-east-1", "states")] {
        let refused = claim.check_scope(region, service, noon());
        assert!(matches!(refused, Err(AuthError::Signature(_))), "{region} {service}");
    }
}

#[test]
fn what_decides_the_meaning_must_be_signed_and_be_there_once() {
    let unsigned = |headers: &[(&str, &str)], names: &str| {
        let parts = signed("POST", "/", headers, names, &"0".repeat(64));
        Claim::read(&parts).map(|_| ()).unwrap_err()
    };
    let target = ("x-amz-target", "AWSStepFunctions.StartExecution");
    for (headers, names, missing) in [
        (&[target][..], "host;x-amz-date", "x-amz-target"),
        (&[], "x-amz-date", "host"),
        (&[], "host", "x-amz-date"),
        (&[("x-amz-invocation-type", "Event")], "host;x-amz-date", "x-amz-invocation-type"),
    ] {
        let refused = unsigned(headers, names);
        assert!(matches!(&refused, AuthError::Signature(text) if text.ends_with(missing)), "{refused}");
    }
    for twice in [target, ("host", "other"), ("authorization", "x"), ("x-amz-date", MOMENT)] {
        let refused = unsigned(&[target, twice], "host;x-amz-date;x-amz-target");
        assert!(matches!(refused, AuthError::Incomplete(_)), "{twice:?}: {refused}");
    }
    let session = unsigned(&[("x-amz-security-token", "t")], "host;x-amz-date;x-amz-security-token");
    assert_eq!(session, AuthError::Session);
}

#[test]
fn what_is_no_signature_says_what_is_missing() {
    let read = |authorization: &str| {
        let headers = [("host", "h"), ("x-amz-date", MOMENT), ("authorization", authorization)];
        Claim::read(&request("GET", "/", &headers)).map(|_| ()).unwrap_err()
    };
    let hex = "0".repeat(64);
    for (authorization, word) in [
        ("Bearer x".to_owned(), "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256X Credential=a".to_owned(), "AWS4-HMAC-SHA256"),
        (format!("AWS4-HMAC-SHA256 SignedHeaders=host;x-amz-date, Signature={hex}"), "'Credential'"),
        (format!("AWS4-HMAC-SHA256 Credential={SCOPE}, Signature={hex}"), "'SignedHeaders'"),
        (format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host"), "'Signature'"),
        (
            format!("AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature={hex}"),
            "slash-delimited",
        ),
        (format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=00"), "hexadecimal"),
    ] {
        let refused = read(&authorization);
        assert!(
            matches!(&refused, AuthError::Incomplete(text) if text.contains(word)),
            "{authorization}: {refused}"
        );
    }
    assert_eq!(Claim::read(&request("GET", "/", &[])).map(|_| ()), Err(AuthError::MissingToken));
    let undated = format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature={hex}");
    let undated = request("GET", "/", &[("host", "h"), ("authorization", &undated)]);
    assert!(matches!(Claim::read(&undated), Err(AuthError::Incomplete(text)) if text.contains("X-Amz-Date")));
}

#[test]
fn a_payload_that_is_not_signed_is_refused() {
    for told in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        let headers = [("x-amz-content-sha256", told)];
        let parts = signed("POST", "/", &headers, "host;x-amz-content-sha256;x-amz-date", &"0".repeat(64));
        let claim = Claim::read(&parts).unwrap();
        assert!(matches!(claim.payload_sha256(), Err(AuthError::Signature(_))), "{told}");
    }
}

fn credentials() -> Credentials {
    Credentials { key_id: "AKIDEXAMPLE".into(), secret: SECRET.into(), region: "us-east-1".into() }
}

#[test]
fn what_is_signed_here_is_taken_here() {
    let (path, query) = ("/modules/a%20b/aliases/x", "qualifier=%24LATEST&b=2&a=1");
    let payload_sha256 = sha256_hex(b"body");
    let unsigned =
        Unsigned { method: "PUT", path, query, host: "h:1", target: None, payload_sha256: &payload_sha256 };
    let made = authorization(&credentials(), "service", &unsigned, noon());
    let mut headers: Vec<(&str, &str)> = made.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.push(("host", "h:1"));
    let parts = request("PUT", &format!("{path}?{query}"), &headers);
    assert_eq!(verify(&parts, "", noon()), Ok(()));
    assert!(verify(&parts, "", after(301)).is_err());
}

#[test]
fn a_presigned_address_holds_for_its_time_and_for_get_alone() {
    let valid = std::time::Duration::from_mins(10);
    let query = presigned_query(&credentials(), "service", ("/m/code", "qualifier=1", "h:1"), noon(), valid);
    let parts = |method: Method, query: &str| {
        request(method.as_str(), &format!("/m/code?{query}"), &[("host", "h:1")])
    };
    let get = parts(Method::GET, &query);
    assert_eq!(verify(&get, "", after(600)), Ok(()));
    assert!(matches!(verify(&get, "", after(601)), Err(AuthError::Signature(_))));
    assert!(verify(&parts(Method::PUT, &query), "", noon()).is_err());
    for (from, to) in [("qualifier=1", "qualifier=2"), ("Expires=600", "Expires=700"), ("host", "host%3Bx")] {
        assert!(verify(&parts(Method::GET, &query.replace(from, to)), "", noon()).is_err(), "{to}");
    }
    let longer = query.replace("Expires=600", "Expires=604801");
    assert!(matches!(verify(&parts(Method::GET, &longer), "", noon()), Err(AuthError::Incomplete(_))));
}

#[test]
fn moments_have_one_form() {
    assert_eq!(basic(noon()), MOMENT);
    for wrong in ["", "20150830T123600", "2015-08-30T12:36:00Z", "20150830T123600z", "20151330T123600Z"] {
        assert!(parse_basic(wrong).is_none(), "{wrong}");
    }
}
