//! HTTP/2 and TCP settings of a server whose traffic is long streams of record batches.

use tonic::transport::Server;

/// What one upload (DoPut, DoExchange) may have under way before it waits for us.
pub const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// What all uploads of a connection may have under way together.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// The largest frame we accept. Peers that use it send an upload with fewer system calls.
pub const RECEIVED_FRAME_BYTES_MAX: u32 = 1024 * 1024;

/// A server builder with the settings above.
///
/// How fast a client receives is the client's to say: our data frames are as long as its
/// `SETTINGS_MAX_FRAME_SIZE` and our window is what it grants.
pub fn server() -> Server {
    Server::builder()
        // Small answers leave at once instead of waiting for an acknowledgement.
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(RECEIVED_FRAME_BYTES_MAX)
        // It starts windows at 64 KiB and probes with pings: slower than fixed ones, at no gain here.
        .http2_adaptive_window(Some(false))
}
