//! The bytes to an agent: an SSH channel or the pipes of a child, and whatever must live as long as they do.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What is remembered of the other end's stderr.
const WORDS: u64 = 4 << 10;

/// A stream to an agent.
pub struct Transport {
    from: Box<dyn AsyncRead + Send + Unpin>,
    to: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Dropping it would close the channel.
    _owner: Box<dyn Any + Send>,
}

impl Transport {
    /// From two halves and their owner.
    pub fn new(
        from: impl AsyncRead + Send + Unpin + 'static,
        to: impl AsyncWrite + Send + Unpin + 'static,
        owner: impl Any + Send,
    ) -> Self {
        Self { from: Box::new(from), to: Some(Box::new(to)), _owner: Box::new(owner) }
    }

    /// The other end reads its stdin's end.
    pub fn finish_writing(&mut self) {
        self.to = None;
    }

    /// Reads one line and not a byte more: what follows it is HTTP/2.
    pub async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            if self.from.read(&mut byte).await? == 0 {
                return Ok(None);
            }
            if byte == *b"\n" || line.len() > 4096 {
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            line.push(byte[0]);
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.from).poll_read(context, into)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self.to.as_mut() {
            Some(to) => Pin::new(to).poll_write(context, from),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.as_mut().map_or(Poll::Ready(Ok(())), |to| Pin::new(to).poll_flush(context))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.as_mut().map_or(Poll::Ready(Ok(())), |to| Pin::new(to).poll_shutdown(context))
    }
}

/// The last words of the other end, for people.
#[derive(Clone, Default)]
pub struct Words(Arc<Mutex<Vec<u8>>>);

impl Words {
    /// Listens to a stderr until its end.
    pub fn listen(&self, stderr: impl AsyncRead + Send + Unpin + 'static) {
        let words = self.clone();
        tokio::spawn(async move {
            let mut stderr = stderr;
            let mut buffer = [0; 1024];
            while let Ok(count) = stderr.read(&mut buffer).await {
                if count == 0 {
                    return;
                }
                let mut words = words.0.lock().unwrap_or_else(PoisonError::into_inner);
                if (words.len() as u64) < WORDS {
                    words.extend_from_slice(&buffer[..count]);
                }
            }
        });
    }

    /// What was said so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).trim().to_owned()
    }
}
