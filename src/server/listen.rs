//! Addresses, and what listens on them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use super::transport::Transport;
use crate::error::Error;

/// A socket that listens, made on the caller's thread so that what fails is known at once.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(unix::Socket),
}

/// The same within the runtime.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, #[allow(dead_code, reason = "removed on drop")] unix::File),
}

impl Bound {
    /// Listens on `host:port` or `unix:/path`.
    pub(super) fn new(address: &str) -> Result<Self, Error> {
        let because = |error: io::Error| Error::listen(address).because(error);
        match address.strip_prefix("unix:") {
            #[cfg(unix)]
            Some(path) => unix::bind(path).map(Self::Unix).map_err(because),
            #[cfg(not(unix))]
            Some(_) => Err(because(io::ErrorKind::Unsupported.into())),
            None => {
                let listener = TcpListener::bind(address).map_err(because)?;
                listener.set_nonblocking(true).map_err(because)?;
                Ok(Self::Tcp(listener))
            }
        }
    }

    /// Where it listens, unless that is no address of the network.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Joins the runtime that this is called in.
    pub(super) fn listener(self) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => Ok(Listener::Tcp(tokio::net::TcpListener::from_std(listener)?)),
            #[cfg(unix)]
            Self::Unix(socket) => {
                let listener = tokio::net::UnixListener::from_std(socket.listener)?;
                Ok(Listener::Unix(listener, socket.file))
            }
        }
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Transport>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A response is written at once; waiting for more would only delay its end.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Some(peer.ip())))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}

#[cfg(unix)]
impl Listener {
    /// Stops listening for everybody who has the socket: a forked child has it too, and would keep
    /// clients waiting for an answer that nobody gives.
    pub(super) fn hang_up(&self) {
        use std::os::fd::{AsFd, OwnedFd};
        let socket = match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        };
        // Not a stream, but the same call of the system. If it fails, closing has to do.
        let hang_up =
            |socket: OwnedFd| std::net::TcpStream::from(socket).shutdown(std::net::Shutdown::Both);
        let _ = socket.and_then(hang_up);
    }

    /// Whether a connection waits to be accepted. Linux refuses for want of a file descriptor
    /// before it looks, so the refusal alone says nothing.
    pub(super) fn has_waiting(&self) -> bool {
        use std::os::fd::AsFd;

        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let socket = match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        };
        let mut asked = [PollFd::new(socket, PollFlags::POLLIN)];
        poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(not(unix))]
impl Listener {
    /// Without forks, closing will do.
    pub(super) fn hang_up(&self) {}

    /// Elsewhere a refusal means that there is somebody to refuse.
    pub(super) fn has_waiting(&self) -> bool {
        true
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, Metadata};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    #[derive(Debug)]
    pub(in super::super) struct Socket {
        pub(super) listener: UnixListener,
        pub(super) file: File,
    }

    /// The socket's file, removed when dropped, unless another has taken its place.
    #[derive(Debug)]
    pub(in super::super) struct File {
        path: PathBuf,
        identity: Option<(u64, u64)>,
        process: u32,
    }

    pub(super) fn bind(path: &str) -> io::Result<Socket> {
        let path = Path::new(path);
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        let identity = fs::symlink_metadata(path).ok().map(|file| identity(&file));
        let file = File { path: path.to_owned(), identity, process: std::process::id() };
        listener.set_nonblocking(true)?;
        Ok(Socket { listener, file })
    }

    /// A socket that a process left behind. Nothing else is ever removed.
    fn is_abandoned(path: &Path) -> bool {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        is_socket && UnixStream::connect(path).err().is_some_and(refused)
    }

    fn identity(file: &Metadata) -> (u64, u64) {
        (file.dev(), file.ino())
    }

    impl Drop for File {
        fn drop(&mut self) {
            let there = fs::symlink_metadata(&self.path).ok().map(|file| identity(&file));
            if self.process == std::process::id() && there.is_some() && there == self.identity {
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}
