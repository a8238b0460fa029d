//! What is accepted, what is refused, and that a refusal names its reason.

use crate::guests::{Fixture, guest, stub};
use stepwell_sandbox::{InstallError, ModuleKind};

/// Installs a module and returns why it was refused.
async fn refusal(fixture: &Fixture, wasm: impl Into<Vec<u8>>) -> InstallError {
    fixture.install(wasm.into()).await.unwrap_err()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_task_is_installed_once() {
    let fixture = Fixture::new();
    let wasm = guest("ship_order");
    let first = fixture.install(wasm.clone()).await.unwrap();
    assert_eq!(first.digest.len(), 64);
    assert_eq!(first.kind, ModuleKind::Component);
    assert_eq!(first.size_bytes, wasm.len() as u64);
    assert!(first.imports.iter().any(|name| name == "stepwell:task/log@0.1.0"), "{:?}", first.imports);
    let second = fixture.install(wasm).await.unwrap();
    assert_eq!(second.compile_milliseconds, 0);
    assert_eq!(second.digest, first.digest);
    let patched = fixture.install(stub(r#"{"behaviour":"return_context"}"#)).await.unwrap();
    let unpatched = fixture.install(guest("stub")).await.unwrap();
    assert_ne!(patched.digest, unpatched.digest);
}

#[tokio::test]
async fn removing_takes_the_module_away() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("stub")).await.unwrap().digest;
    fixture.sandbox.remove(&digest).await.unwrap();
    fixture.sandbox.remove(&digest).await.unwrap();
    fixture.sandbox.remove("no digest").await.unwrap();
    let error = fixture.sandbox.invoke(&digest, crate::guests::call("1")).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.UnknownModule");
    let left: Vec<_> = ["source", "compiled"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(fixture.directory.path().join(folder)).unwrap())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn files_that_are_not_modules() {
    let fixture = Fixture::new();
    let error = refusal(&fixture, *b"PK\x03\x04rest of a zip").await;
    assert!(matches!(&error, InstallError::NotWebAssembly { begins_with } if begins_with == "50 4b 03 04"));
    assert!(error.to_string().contains("this file with \"50 4b 03 04\""), "{error}");
    assert!(matches!(refusal(&fixture, *b"").await, InstallError::NotWebAssembly { .. }));
    let error = refusal(&fixture, *b"\0asm\x0d\0\x01\0garbage").await;
    assert!(matches!(error, InstallError::DoesNotValidate { .. }), "{error}");
    let mut cut = guest("stub");
    cut.truncate(cut.len() / 2);
    let error = refusal(&fixture, cut).await;
    assert!(matches!(error, InstallError::DoesNotValidate { .. }), "{error}");
    let error = refusal(&fixture, *b"\0asm\x01\0\0\0\x0a\x05\x01\x03\0\x6a\x0b").await;
    assert!(matches!(error, InstallError::DoesNotValidate { .. }), "{error}");
}

#[tokio::test]
async fn core_modules_and_foreign_components() {
    let fixture = Fixture::new();
    let core =
        wat(r#"(module (memory (export "memory") 1) (func (export "add") (result i32) (i32.const 1)))"#);
    let error = refusal(&fixture, core).await;
    assert!(
        matches!(&error, InstallError::CoreModule { exports } if exports == &["memory", "add"]),
        "{error}"
    );
    assert!(error.to_string().contains("or build a component"), "{error}");
    let error =
        refusal(&fixture, wat(r#"(component (instance $i) (export "acme:task/other" (instance $i)))"#)).await;
    assert!(
        matches!(&error, InstallError::MissingExport { exports } if exports == &["acme:task/other"]),
        "{error}"
    );
    assert!(error.to_string().contains("stepwell:task/handler@0.1"), "{error}");
}

#[tokio::test]
async fn imports_that_the_sandbox_does_not_have() {
    let fixture = Fixture::new();
    let http = wat(r#"(component
        (import "wasi:http/outgoing-handler@0.2.0" (instance))
        (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i)))"#);
    let error = refusal(&fixture, http).await;
    assert_eq!(
        error.to_string(),
        "the module imports wasi:http/outgoing-handler@0.2.0, which its manifest does not grant: its member `http` \
         must say where requests may go, like [{\"host\": \"api.example.com\"}]"
    );
    let two = wat(r#"(component
        (import "acme:db/query" (instance)) (import "wasi:nn/graph@0.2.0" (instance))
        (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i)))"#);
    let error = refusal(&fixture, two).await;
    assert!(error.to_string().contains("imports acme:db/query, wasi:nn/graph@0.2.0, which the"), "{error}");
    let newer = wat(r#"(component
        (import "stepwell:task/log@0.1.9" (instance (export "shout" (func))))
        (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i)))"#);
    let error = refusal(&fixture, newer).await;
    assert!(matches!(error, InstallError::DoesNotLink { .. }), "{error}");
    assert!(error.to_string().contains("shout"), "{error}");
}

#[tokio::test]
async fn the_right_name_with_the_wrong_shape() {
    let fixture = Fixture::new();
    let empty = wat(r#"(component (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i)))"#);
    let error = refusal(&fixture, empty).await;
    assert!(matches!(error, InstallError::DoesNotLink { .. }), "{error}");
    assert!(error.to_string().contains("run"), "{error}");
}

#[tokio::test]
async fn sizes_end_at_their_limits() {
    let fixture = Fixture::with(|config| {
        config.max_module_bytes = 100_000;
        config.memory_limit_bytes = 1 << 20;
    });
    let error = refusal(&fixture, guest("stub")).await;
    assert!(matches!(error, InstallError::TooLarge { limit_bytes: 100_000, .. }), "{error}");
    let hungry = wat(r#"(component
        (core module $m (memory 100))
        (core instance (instantiate $m))
        (instance $i) (export "stepwell:task/handler@0.1.0" (instance $i)))"#);
    let error = refusal(&fixture, hungry).await;
    assert!(matches!(error, InstallError::DoesNotCompile { .. }), "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
}
