//! Signals as bytes in a pipe. Nothing is blocked or ignored, for programs would inherit that: a handler is the one
//! disposition that an exec resets.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static PIPES: OnceLock<Pipes> = OnceLock::new();
static CHILD: AtomicI32 = AtomicI32::new(-1);
static ENDING: AtomicI32 = AtomicI32::new(-1);

struct Pipes {
    child: Pipe,
    ending: Pipe,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        Ok(Self { read, write })
    }
}

/// A child has ended: readable then, after [`install`].
pub fn child() -> Option<BorrowedFd<'static>> {
    PIPES.get().map(|pipes| pipes.child.read.as_fd())
}

/// Somebody wants this process to end: readable then, after [`install`].
pub fn ending() -> Option<BorrowedFd<'static>> {
    PIPES.get().map(|pipes| pipes.ending.read.as_fd())
}

/// Empties a pipe; says whether there was something.
pub fn take(pipe: BorrowedFd<'_>) -> bool {
    let mut bytes = [0; 64];
    let mut rang = false;
    while matches!(nix::unistd::read(pipe, &mut bytes), Ok(count) if count > 0) {
        rang = true;
    }
    rang
}

/// From now on SIGCHLD, SIGTERM and SIGINT come as bytes, and SIGHUP does nothing.
pub fn install() -> io::Result<()> {
    let pipes = Pipes { child: Pipe::new()?, ending: Pipe::new()? };
    CHILD.store(pipes.child.write.as_raw_fd(), Ordering::Relaxed);
    ENDING.store(pipes.ending.write.as_raw_fd(), Ordering::Relaxed);
    // A second call finds the first one's pipes; its own would stay unread.
    if PIPES.set(pipes).is_err() {
        return Ok(());
    }
    let action = SigAction::new(SigHandler::Handler(ring), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        #[expect(unsafe_code, reason = "the handler does nothing but write to a pipe")]
        // SAFETY: `ring` calls only `write`, which is async-signal-safe, and restores errno.
        unsafe {
            sigaction(signal, &action)?;
        }
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

extern "C" fn ring(signal: libc::c_int) {
    let pipe = match signal {
        libc::SIGCHLD => &CHILD,
        libc::SIGHUP => return,
        _ => &ENDING,
    };
    #[expect(unsafe_code, reason = "in a handler only the bare call is safe")]
    // SAFETY: the descriptor lives as long as the process; a full pipe loses nothing, it is readable already.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::write(pipe.load(Ordering::Relaxed), [1_u8].as_ptr().cast(), 1);
        *errno = before;
    }
}
