//! Has the binary built again when a file is added to what `stepwell module new` writes: the compiler itself only notices
//! changes of files that it knows.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let sdk = "../../guest-sdk";
    for language in ["rust", "python", "javascript", "go", "c", "zig"] {
        println!("cargo::rerun-if-changed={sdk}/{language}/template");
        println!("cargo::rerun-if-changed={sdk}/{language}/sdk");
    }
    for sources in ["rust/src", "rust-macros/src"] {
        println!("cargo::rerun-if-changed={sdk}/{sources}");
    }
}
