//! stdin and stdout as one stream without threads: whatever pipe or socket an SSH server or a parent gave us.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::runner::nonblocking;

/// The channel to the master.
pub struct Channel {
    input: AsyncFd<OwnedFd>,
    output: AsyncFd<OwnedFd>,
}

impl Channel {
    /// Takes over this process's stdin and stdout; programs that it starts must not inherit them.
    pub fn of_process() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        nonblocking(input.as_fd())?;
        nonblocking(output.as_fd())?;
        Ok(Self { input: watched(input)?, output: watched(output)? })
    }
}

/// A descriptor that the runtime watches.
pub fn watched<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    #[expect(unsafe_code, reason = "tokio cannot see that the owner keeps its descriptor")]
    // SAFETY: every owner here (`OwnedFd`, inotify) keeps the same descriptor open until it is dropped.
    let watched = unsafe { AsyncFd::register(owner) };
    Ok(watched?)
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.input.poll_read_ready(context))?;
            let read = guard.try_io(|input| Ok(nix::unistd::read(input.get_ref(), buffer.initialize_unfilled())?));
            if let Ok(count) = read {
                buffer.advance(count?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.output.poll_write_ready(context))?;
            if let Ok(written) = guard.try_io(|output| Ok(nix::unistd::write(output.get_ref(), bytes)?)) {
                return Poll::Ready(written);
            }
        }
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end of this process closes it.
        Poll::Ready(Ok(()))
    }
}
