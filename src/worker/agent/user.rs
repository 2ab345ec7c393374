//! Users of this machine, and becoming one of them.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getgrouplist, setgid, setgroups, setuid};

/// What the password database says of a user.
#[derive(Clone, Debug)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Home.
    pub home: PathBuf,
    /// Shell.
    pub shell: PathBuf,
    /// User.
    pub uid: Uid,
    /// First group.
    pub gid: Gid,
}

impl Account {
    /// Looks a user up.
    pub fn named(name: &str) -> io::Result<Self> {
        User::from_name(name)?.map(Self::from).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no user {name:?} on this machine"))
        })
    }

    /// The user of this process; none where the database does not know it.
    pub fn own() -> Option<Self> {
        User::from_uid(nix::unistd::geteuid()).ok().flatten().map(Self::from)
    }

    /// Becomes this user for good, with all its groups. Only root can.
    pub fn become_it(&self) -> io::Result<()> {
        let name = CString::new(self.name.as_str())?;
        setgroups(&getgrouplist(&name, self.gid)?)?;
        setgid(self.gid)?;
        setuid(self.uid)?;
        Ok(())
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self { name: user.name, home: user.dir, shell: user.shell, uid: user.uid, gid: user.gid }
    }
}
