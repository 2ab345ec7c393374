//! The two programs of a run: this one, and the agent that is copied to workers.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::core::ids::hex;
use crate::core::records::Binaries;

/// Names the agent where it does not stand beside dayfly.
const AGENT_VARIABLE: &str = "DAYFLY_AGENT";

/// Where the programs stand.
#[derive(Clone, Debug)]
pub struct Executables {
    /// This program.
    pub dayfly: PathBuf,
    /// The agent.
    pub agent: PathBuf,
}

impl Executables {
    /// Finds both.
    pub fn find() -> anyhow::Result<Self> {
        let dayfly = std::env::current_exe().context("find the path of this program")?;
        let beside = dayfly.with_file_name("dayfly-agent");
        if beside.is_file() {
            return Ok(Self { dayfly, agent: beside });
        }
        match std::env::var_os(AGENT_VARIABLE).map(PathBuf::from) {
            Some(agent) if agent.is_file() => Ok(Self { dayfly, agent }),
            Some(agent) => anyhow::bail!("there is no agent at {} (from {AGENT_VARIABLE})", agent.display()),
            None => anyhow::bail!(
                "there is no agent at {}: install dayfly-agent beside dayfly (`cargo build --bins` makes both), or name it in {AGENT_VARIABLE}",
                beside.display()
            ),
        }
    }
    /// What they are, as the spec freezes it.
    pub fn hashes(&self) -> anyhow::Result<Binaries> {
        Ok(Binaries { dayfly: sha256_of(&self.dayfly)?, agent: sha256_of(&self.agent)? })
    }
}

fn sha256_of(path: &Path) -> anyhow::Result<String> {
    let what = || format!("read {}", path.display());
    let mut file = File::open(path).with_context(what)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).with_context(what)?;
        if count == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..count]);
    }
}
