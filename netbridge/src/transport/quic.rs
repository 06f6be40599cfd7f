//! The QUIC endpoint: one UDP socket that both accepts and dials.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, IdleTimeout, Runtime as _,
    ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};

use super::tls::Credentials;
use crate::error::BridgeError;

/// A peer that says nothing for so long is disconnected.
const IDLE: Duration = Duration::from_secs(2);
/// Often enough that one lost packet does not end the connection.
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// With the system's default of about 200 KiB bursts lose packets even on loopback.
const SOCKET_BUFFER: usize = 4 << 20;
const INITIAL_WINDOW: u64 = 512 << 10;
const STREAM_WINDOW: u32 = 8 << 20;
const SEND_WINDOW: u64 = 64 << 20;
/// A live stream and an image stream for each of 1,024 regions.
const STREAMS: u32 = 2048;

/// The bound endpoint.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) endpoint: Endpoint,
    /// The address with the port the system chose.
    pub(crate) address: SocketAddr,
    /// What an operator should know about the socket.
    pub(crate) warning: Option<String>,
}

/// Binds the UDP address and starts to answer handshakes.
pub(crate) fn bind(address: SocketAddr, tls: &Credentials) -> Result<Bound, BridgeError> {
    let failed = |source| BridgeError::Listen { address, source };
    let (socket, granted) = open_socket(address).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let server = server(tls)?;
    let socket = TokioRuntime.wrap_udp_socket(socket).map_err(failed)?;
    #[cfg(any(test, feature = "faults"))]
    let socket = super::faults::wrap(socket, address);
    let (config, runtime) = (endpoint_config(tls), Arc::new(TokioRuntime));
    let endpoint = Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)
        .map_err(failed)?;
    let warning = (granted < SOCKET_BUFFER).then(|| {
        format!(
            "the kernel grants {} KiB of socket buffer instead of {} KiB: raise net.core.rmem_max \
             and net.core.wmem_max, or bursts will lose packets",
            granted >> 10,
            SOCKET_BUFFER >> 10
        )
    });
    Ok(Bound { endpoint, address, warning })
}

/// The endpoint of the next bridge with the same certificate recognises the connections of this
/// one, and ends them at once if this one is killed (stateless reset): peers need not wait until
/// they are idle.
fn endpoint_config(tls: &Credentials) -> EndpointConfig {
    let mut ids = [0; 8];
    ids.copy_from_slice(&tls.derive(b"vug connection ids")[..8]);
    let ids = u64::from_le_bytes(ids);
    let resets = hmac::Key::new(hmac::HMAC_SHA256, &tls.derive(b"vug stateless resets"));
    let mut config = EndpointConfig::new(Arc::new(resets));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

/// The socket and the smaller of its two buffer sizes.
fn open_socket(address: SocketAddr) -> std::io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A smaller grant is no error here: it shows in the sizes read back.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    // Linux doubles the size for its own bookkeeping and reports the double.
    let granted = socket.recv_buffer_size()?.min(socket.send_buffer_size()?) / 2;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok((socket.into(), granted))
}

/// How to answer those who dial.
pub(crate) fn server(tls: &Credentials) -> Result<ServerConfig, BridgeError> {
    let mut server = ServerConfig::with_crypto(Arc::new(tls.server()?));
    server.transport_config(transport());
    Ok(server)
}

/// How to dial a node: `origin` if it is known, any node of the cluster otherwise.
pub(crate) fn client(tls: &Credentials, origin: Option<u16>) -> Result<ClientConfig, BridgeError> {
    let mut client = ClientConfig::new(Arc::new(tls.client(origin)?));
    client.transport_config(transport());
    Ok(client)
}

fn transport() -> Arc<TransportConfig> {
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_WINDOW);
    let mut acks = AckFrequencyConfig::default();
    acks.max_ack_delay(Some(Duration::from_millis(1)));
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .ack_frequency_config(Some(acks))
        .congestion_controller_factory(Arc::new(congestion))
        .initial_rtt(Duration::from_millis(50))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .send_window(SEND_WINDOW)
        .send_fairness(true)
        .datagram_receive_buffer_size(Some(1 << 20))
        .datagram_send_buffer_size(1 << 20);
    Arc::new(transport)
}
