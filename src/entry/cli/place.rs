//! `--store` and RUN: where records are, and which run is meant.

use std::sync::Arc;

use clap::Args;

use super::Ended;
use crate::core::ids::RunId;
use crate::entry::exit::Problem;
use crate::entry::trigger::{Executables, Ground, StateFolder, find_run, store_failed};
use crate::platform::aws::Access;
use crate::platform::store::{self, Store};

/// Where records are.
#[derive(Args, Clone, Debug)]
pub struct StoreArguments {
    /// Folder or s3://bucket/prefix that holds all runs; default: $XDG_STATE_HOME/dayfly
    #[arg(long, value_name = "STORE", env = "DAYFLY_STORE")]
    store: Option<String>,
    #[command(flatten)]
    aws: AwsArguments,
}

/// How AWS is reached, beside the usual AWS variables and profiles.
#[derive(Args, Clone, Debug)]
pub struct AwsArguments {
    /// Address of every AWS service (an S3-compatible store, a rehearsal); default: AWS's own
    #[arg(long, value_name = "URL", global = true)]
    endpoint_url: Option<String>,
    /// AWS region; default: the cluster's, else what AWS_REGION or the profile says
    #[arg(long, value_name = "REGION", global = true)]
    region: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "PROFILE", global = true)]
    profile: Option<String>,
}

impl AwsArguments {
    /// As settings.
    pub fn access(&self) -> Access {
        Access {
            region: self.region.clone(),
            // A master that is launched must be told; so the variable is read here and not only by the SDK.
            endpoint_url: self.endpoint_url.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL").ok()),
            profile: self.profile.clone(),
            app: None,
        }
    }
}

/// A run and its store.
#[derive(Args, Clone, Debug)]
pub struct RunArguments {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    store: StoreArguments,
}

/// An open store and this machine's own folder.
pub struct Place {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What this machine keeps.
    pub state: StateFolder,
    /// How AWS is reached.
    pub access: Access,
}

impl StoreArguments {
    /// How AWS is reached, whatever the store.
    pub fn access(&self) -> Access {
        self.aws.access()
    }
    /// Opens the store.
    pub async fn open(&self) -> Result<Place, Problem> {
        let state = StateFolder::of_user()?;
        let location = match &self.store {
            Some(given) if given.is_empty() => return Err(Problem::Usage("--store is empty".to_owned())),
            Some(given) => given.clone(),
            None => state.default_store(),
        };
        let access = self.aws.access();
        Ok(Place { store: store::open(&location, &access).await.map_err(store_failed)?, state, access })
    }
}

impl RunArguments {
    /// Opens the store and finds the run.
    pub async fn open(&self) -> Result<(Place, RunId), Problem> {
        let place = self.store.open().await?;
        let run = find_run(place.store.as_ref(), &self.run).await?;
        Ok((place, run))
    }
}

impl Place {
    /// The same with the two programs: what a run is created and worked on with.
    pub fn ground(&self) -> Result<Ground, Problem> {
        Ok(Ground {
            store: self.store.clone(),
            state: self.state.clone(),
            programs: Executables::find()?,
            access: self.access.clone(),
        })
    }
    /// Brings the run database up to date; it is a projection, so what fails here is only said.
    pub async fn project(&self, run: &RunId) {
        let path = self.state.database(&self.store.location());
        let projected = async {
            let database = crate::views::rundb::Database::open(&path).await?;
            database.project(self.store.as_ref(), run).await
        };
        if let Err(error) = projected.await {
            super::screen::remark(&format!("[WARNING]: the run database {} is behind: {error}", path.display()));
        }
    }
    /// The end of a run that this process saw to its end: database, proof, exit code.
    pub async fn finish(&self, receipt: &crate::core::records::Receipt) -> Ended {
        let closed = crate::entry::reap::close_after_receipt(self.store.as_ref(), &self.state, receipt).await;
        self.project(&receipt.run).await;
        match closed {
            Ok(crate::entry::reap::Left::Later) => super::screen::remark(&format!(
                "run {} is over; that nothing of it is left is proven later: dayfly reap closes it",
                receipt.run
            )),
            Ok(_) => {}
            Err(problem) => {
                super::screen::remark(&format!("[WARNING]: run {} is not closed yet: {problem}", receipt.run));
            }
        }
        Ok(crate::entry::exit::code_of_run(receipt.exit))
    }
}
