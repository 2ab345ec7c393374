//! Turns proto/agent.proto into Rust without a `protoc` on the machine; the client only where there is a master.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/agent.proto");
    println!("cargo:rerun-if-changed=build.rs");
    let descriptors = protox::compile(["proto/agent.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .build_client(std::env::var_os("CARGO_FEATURE_MASTER").is_some())
        .build_server(true)
        .compile_fds(descriptors)?;
    Ok(())
}
