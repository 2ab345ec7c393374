//! One file per command. Arguments become settings in one fallible step; nothing below this folder sees clap.

mod attach;
mod cancel;
mod check;
mod db;
mod doctor;
mod extend;
mod extra_vars;
mod launch;
mod local_worker;
mod logs;
mod master;
mod master_logs;
mod order;
mod place;
mod plan;
mod reap;
mod receipt;
mod results;
mod resume;
mod run;
mod runs;
mod screen;
mod show;
mod steps;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::entry::exit::{self, Problem};

/// What a command says in the end: its exit code.
type Ended = Result<u8, Problem>;

/// A cluster that lives for one run: workers are made for a playbook, run it, and are gone afterwards.
#[derive(Debug, Parser)]
#[command(name = "dayfly", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 success; 1 dayfly, the store or the machine failed; 2 a host failed; 3 refused by \
check; 4 a host was unreachable; 5 usage; 7 ended but not proven gone; 130 cancelled.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Report every problem of a playbook; needs no machine
    Check(check::Arguments),
    /// Say what is wrong with this machine, the store, the account or a playbook's cluster, and what to do
    Doctor(doctor::Arguments),
    /// Say what would be launched where, for how long and for how much money at most; launches nothing
    Plan(plan::Arguments),
    /// Run a playbook; the master is this process
    Run(run::Arguments),
    /// Run a playbook by a master that lives on without this terminal
    Launch(launch::Arguments),
    /// Follow a run that another process works on
    Attach(attach::Arguments),
    /// Print the output of a run's steps
    Logs(logs::Arguments),
    /// Say what runs where, and since when
    Show(show::Arguments),
    /// End a run; its results and logs are collected
    Cancel(cancel::Arguments),
    /// Move a run's hard end further away
    Extend(extend::Arguments),
    /// Take over a run whose master died
    Resume(resume::Arguments),
    /// List a run's result files, or copy them out
    Results(results::Arguments),
    /// Print a run's receipt: what was made, how it is known to be gone
    Receipt(receipt::Arguments),
    /// List the runs of the store
    Runs(runs::Arguments),
    /// End what dead masters left, and prove that nothing is left
    Reap(reap::Arguments),
    /// The run database
    #[command(subcommand)]
    Db(db::Command),
    /// Print the version
    Version,
    /// The master of a run that `launch` created
    #[command(hide = true)]
    Master(master::Arguments),
    /// One worker of the local cloud
    #[command(hide = true)]
    LocalWorker(local_worker::Arguments),
}

/// The command line.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap knows which stream; a closed one is nobody's fault.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::SUCCESS });
        }
    };
    if let Command::LocalWorker(arguments) = arguments.command {
        return local_worker::run(arguments);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return problem(&Problem::failed(format!("start: {error}"))),
    };
    let ended = runtime.block_on(dispatch(arguments.command));
    // Blocking work that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(found) => problem(&found),
    }
}

fn problem(problem: &Problem) -> ExitCode {
    screen::complain(problem);
    ExitCode::from(problem.code())
}

async fn dispatch(command: Command) -> Ended {
    match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Doctor(arguments) => Box::pin(doctor::run(arguments)).await,
        Command::Plan(arguments) => plan::run(arguments).await,
        Command::Run(arguments) => Box::pin(run::run(arguments)).await,
        Command::Launch(arguments) => Box::pin(launch::run(arguments)).await,
        Command::Attach(arguments) => attach::run(arguments).await,
        Command::Logs(arguments) => logs::run(arguments).await,
        Command::Show(arguments) => show::run(arguments).await,
        Command::Cancel(arguments) => cancel::run(arguments).await,
        Command::Extend(arguments) => extend::run(arguments).await,
        Command::Resume(arguments) => resume::run(arguments).await,
        Command::Results(arguments) => results::run(arguments).await,
        Command::Receipt(arguments) => receipt::run(arguments).await,
        Command::Runs(arguments) => runs::run(arguments).await,
        Command::Reap(arguments) => reap::run(arguments).await,
        Command::Db(command) => db::run(command).await,
        Command::Version => version::run(),
        Command::Master(arguments) => master::run(arguments).await,
        Command::LocalWorker(_) => Ok(exit::SUCCESS),
    }
}
