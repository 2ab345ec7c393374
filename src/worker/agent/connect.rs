//! Serves one channel: gRPC on stdin and stdout, answered from the step folders. Ends when the channel does.

use std::io;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

use super::arguments::Connect;
use super::channel::Channel;
use super::folders::{self, Base};
use super::service::Service;
use crate::core::wire::agent_server::AgentServer;

/// One stream's credit. The connection's is as large as all streams' together: a stream that nobody reads must not hold
/// up the others.
pub const STREAM_WINDOW: u32 = 512 << 10;
/// Streams at once.
pub const STREAMS: u32 = 128;
/// The largest message: an order with a file's contents in its arguments, an outcome with everything registered.
pub const MESSAGE: usize = 64 << 20;

/// Serves until stdin ends.
pub fn connect(order: Connect) -> io::Result<()> {
    let home = home(order.home)?;
    std::env::set_current_dir(&home)?;
    let base = Base::find(order.base, &home);
    let worker = base.worker(&order.run, &order.host, order.incarnation);
    folders::private(&worker.steps())?;
    folders::private(&worker.files())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let channel = Channel::of_process()?;
        let server = AgentServer::new(Service::new(home, base, worker))
            .max_decoding_message_size(MESSAGE)
            .max_encoding_message_size(MESSAGE);
        let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * STREAMS)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(STREAM_WINDOW as usize);
        // A channel that breaks is how every channel ends.
        let _ = http.serve_connection(TokioIo::new(channel), TowerToHyperService::new(server)).await;
        Ok(())
    });
    // A walk through a large folder that nobody waits for any more must not keep this process.
    runtime.shutdown_background();
    served
}

fn home(given: Option<PathBuf>) -> io::Result<PathBuf> {
    given
        .or_else(|| std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from))
        .or_else(|| super::user::Account::own().map(|account| account.home))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "this user has no HOME"))
}
