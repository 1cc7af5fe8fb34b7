//! What a connection is made over: TCP, a Unix socket, or TLS over either.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream of bytes to a client.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {
    /// On the next close, drops what was not sent: the system would go on offering it, for
    /// minutes and from its own memory, to a client that does not read.
    fn forget_unsent(&self);
}

impl Transport for TcpStream {
    fn forget_unsent(&self) {
        // If the system refuses, it only takes longer.
        let _ = self.set_zero_linger();
    }
}

#[cfg(unix)]
impl Transport for tokio::net::UnixStream {
    /// A Unix socket has its memory freed on close.
    fn forget_unsent(&self) {}
}
