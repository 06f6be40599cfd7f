//! Mutual TLS. Both sides always show a certificate of the cluster's authority, and both check
//! that it names a node of the same cluster.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::identity::{self, IdentityError};
use crate::config::TlsConfig;
use crate::engine::PeerIdentity;
use crate::error::BridgeError;

/// What a node needs to prove who it is and to judge others.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    /// The node of the certificate.
    pub(crate) own: PeerIdentity,
    /// When the certificate ends, in seconds since 1970.
    pub(crate) expires: i64,
}

impl Credentials {
    /// Reads the files and checks that they are for a node of `cluster`, and for `origin` if given.
    pub(crate) fn load(
        files: &TlsConfig,
        cluster: &str,
        origin: Option<u16>,
    ) -> Result<Self, BridgeError> {
        let bad = |path: &Path, problem: String| BridgeError::Certificate {
            path: path.to_owned(),
            problem,
        };
        let chain = certificates(&files.cert)?;
        let authorities = certificates(&files.ca)?;
        let key = read(&files.key)?;
        let key =
            PrivateKeyDer::from_pem_slice(&key).map_err(|e| bad(&files.key, e.to_string()))?;
        let key = Arc::new(key);
        let own = identity::from_certificate(&chain[0])
            .and_then(|own| expect(own, cluster, origin))
            .map_err(|e| bad(&files.cert, e.to_string()))?;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|e| bad(&files.ca, e.to_string()))?;
        }
        let expires = identity::expiry(&chain[0]).unwrap_or(i64::MAX);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let credentials = Self { chain, key, roots: Arc::new(roots), provider, own, expires };
        // A certificate that peers will refuse is better refused here, where it can be mended.
        credentials.check_own_chain().map_err(|e| bad(&files.cert, e.to_string()))?;
        Ok(credentials)
    }

    /// A secret for one purpose that lasts as long as the private key, and does not betray it.
    pub(crate) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.key.secret_der());
        let mut secret = [0; 32];
        secret.copy_from_slice(ring::hmac::sign(&key, purpose).as_ref());
        secret
    }

    fn check_own_chain(&self) -> Result<(), Error> {
        let name = server_name(&self.own)?;
        self.webpki_server()?
            .verify_server_cert(&self.chain[0], &self.chain[1..], &name, &[], UnixTime::now())
            .map(drop)
    }

    fn webpki_server(&self) -> Result<Arc<WebPkiServerVerifier>, Error> {
        WebPkiServerVerifier::builder_with_provider(self.roots.clone(), self.provider.clone())
            .build()
            .map_err(|e| Error::General(e.to_string()))
    }

    /// For accepting connections.
    pub(crate) fn server(&self) -> Result<QuicServerConfig, BridgeError> {
        self.try_server().map_err(|e| BridgeError::Tls { problem: e.to_string() })
    }

    fn try_server(&self) -> Result<QuicServerConfig, Error> {
        let roots = self.roots.clone();
        let chain = WebPkiClientVerifier::builder_with_provider(roots, self.provider.clone())
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        let verifier = Arc::new(ClientOfCluster { chain, own: self.own.clone() });
        let mut config = rustls::ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![crate::wire::ALPN.to_vec()];
        // Without tickets every connection proves both identities anew.
        config.send_tls13_tickets = 0;
        QuicServerConfig::try_from(config).map_err(|e| Error::General(e.to_string()))
    }

    /// For dialing a node: `origin` if it is known, any node of the cluster otherwise.
    pub(crate) fn client(&self, origin: Option<u16>) -> Result<QuicClientConfig, BridgeError> {
        self.try_client(origin).map_err(|e| BridgeError::Tls { problem: e.to_string() })
    }

    fn try_client(&self, origin: Option<u16>) -> Result<QuicClientConfig, Error> {
        let chain = self.webpki_server()?;
        let verifier = Arc::new(ServerOfCluster { chain, own: self.own.clone(), origin });
        let mut config = rustls::ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![crate::wire::ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        QuicClientConfig::try_from(config).map_err(|e| Error::General(e.to_string()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BridgeError> {
    fs::read(path)
        .map_err(|e| BridgeError::Certificate { path: path.to_owned(), problem: e.to_string() })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BridgeError> {
    let text = read(path)?;
    let problem = match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) => "it holds no PEM certificate".to_owned(),
        Err(e) => e.to_string(),
    };
    Err(BridgeError::Certificate { path: path.to_owned(), problem })
}

fn expect(
    found: PeerIdentity,
    cluster: &str,
    origin: Option<u16>,
) -> Result<PeerIdentity, IdentityError> {
    if found.cluster != cluster {
        let expected = cluster.to_owned();
        return Err(IdentityError::OtherCluster { expected, found: found.cluster });
    }
    match origin {
        Some(expected) if expected != found.origin => {
            Err(IdentityError::OtherNode { expected, found: found.origin })
        }
        _ => Ok(found),
    }
}

/// The rule for peers: the same cluster, the node expected there if any, and not ourselves.
fn expect_peer(
    found: PeerIdentity,
    own: &PeerIdentity,
    origin: Option<u16>,
) -> Result<(), IdentityError> {
    let peer = expect(found, &own.cluster, origin)?;
    if peer.origin == own.origin {
        return Err(IdentityError::OwnOrigin(peer.origin));
    }
    Ok(())
}

fn refuse(error: IdentityError) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

fn server_name(node: &PeerIdentity) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(identity::dns_name(&node.cluster, node.origin))
        .map_err(|e| Error::General(e.to_string()))
}

/// Judges the certificate of a node that was dialed.
///
/// The address is all that is known about a peer without a configured origin, so the name to
/// check is the one the certificate claims. The chain is verified in full for that name; only
/// then the claim counts, and must be a node of this cluster.
#[derive(Debug)]
struct ServerOfCluster {
    chain: Arc<WebPkiServerVerifier>,
    own: PeerIdentity,
    origin: Option<u16>,
}

impl ServerCertVerifier for ServerOfCluster {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let claimed = identity::from_certificate(end_entity).map_err(refuse)?;
        let name = server_name(&claimed)?;
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, &name, ocsp_response, now)?;
        expect_peer(claimed, &self.own, self.origin).map_err(refuse)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Judges the certificate of a node that dialed us.
#[derive(Debug)]
struct ClientOfCluster {
    chain: Arc<dyn ClientCertVerifier>,
    own: PeerIdentity,
}

impl ClientCertVerifier for ClientOfCluster {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let claimed = identity::from_certificate(end_entity).map_err(refuse)?;
        expect_peer(claimed, &self.own, None).map_err(refuse)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
impl Credentials {
    /// Makes these credentials trust a second authority.
    pub(crate) fn trust_also(&mut self, ca: &Path) {
        let mut roots = RootCertStore::clone(&self.roots);
        roots.add(certificates(ca).expect("certificate").remove(0)).expect("authority");
        self.roots = Arc::new(roots);
    }

    /// A dialer that checks the server and shows nothing itself.
    pub(crate) fn client_without_certificate(&self) -> QuicClientConfig {
        let chain = self.webpki_server().expect("verifier");
        let verifier = ServerOfCluster { chain, own: self.own.clone(), origin: None };
        let mut config = rustls::ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![crate::wire::ALPN.to_vec()];
        QuicClientConfig::try_from(config).expect("usable")
    }
}
