//! Certificates: a cluster has one authority, every node a certificate signed by it.
//!
//! The authority is an ECDSA P-256 key whose certificate has the cluster id as common name. A
//! node's certificate says which cluster and which origin it is for, so holding the private key
//! is what makes a process that node. Private keys are written with mode 0600.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};

use crate::transport::identity;

const DAY: Duration = Duration::from_secs(24 * 3600);
const AUTHORITY_DAYS: u32 = 3653;
const NODE_DAYS: u32 = 365;
/// Machines that disagree a little about the time still accept a fresh certificate.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// Why a certificate could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertError {
    /// The cluster id is no lower-case DNS label.
    BadClusterId {
        /// The id as given.
        id: String,
    },
    /// Origin 0 means "not assigned" and cannot be issued.
    BadOrigin,
    /// A file would be overwritten.
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A file could not be read or written.
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// The authority's files are not what `init` writes.
    BadAuthority {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file to be replaced is no certificate of a node of this cluster.
    BadNode {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate library refused.
    Signing {
        /// Its words.
        problem: String,
    },
}

impl CertError {
    /// Stable number of the error, printed as `VUG-0711`.
    pub fn code(&self) -> u16 {
        match self {
            Self::BadClusterId { .. } => 711,
            Self::BadOrigin => 712,
            Self::Exists { .. } => 713,
            Self::Io { .. } => 714,
            Self::BadAuthority { .. } => 715,
            Self::Signing { .. } => 716,
            Self::BadNode { .. } => 717,
        }
    }

    /// What to do about it, one line.
    pub fn help(&self) -> String {
        match self {
            Self::BadClusterId { .. } => {
                "use 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'".into()
            }
            Self::BadOrigin => "give each node its own number from 1 to 65535".into(),
            Self::Exists { .. } => {
                "choose another directory, or force overwriting: nodes that use the old files \
                 will no longer be trusted"
                    .into()
            }
            Self::Io { .. } => "check that the directory exists and may be written".into(),
            Self::BadAuthority { .. } => {
                "give the directory in which the cluster's authority was made".into()
            }
            Self::BadNode { .. } => {
                "give the directory that `vug cert issue` wrote for this cluster".into()
            }
            Self::Signing { .. } => "this is a defect of vug, please report it".into(),
        }
    }
}

impl std::fmt::Display for CertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadClusterId { id } => write!(f, "'{id}' cannot be a cluster id"),
            Self::BadOrigin => f.write_str("origin 0 is reserved"),
            Self::Exists { path } => write!(f, "{} exists", path.display()),
            Self::Io { op, path, source } => {
                write!(f, "cannot {op} {}: {source}", path.display())
            }
            Self::BadAuthority { path, problem } => {
                write!(f, "{} is not a cluster authority: {problem}", path.display())
            }
            Self::BadNode { path, problem } => {
                write!(f, "{} cannot be replaced: {problem}", path.display())
            }
            Self::Signing { problem } => write!(f, "cannot make the certificate: {problem}"),
        }
    }
}

impl std::error::Error for CertError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The files [`init`] and [`issue`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PKCS #8 PEM, mode 0600.
    pub key: PathBuf,
    /// The cluster the certificate belongs to.
    pub cluster: String,
}

/// Makes the authority of a new cluster: `ca.pem` and `ca.key` in `dir`, valid for ten years.
///
/// Creates `dir` if it is missing. Existing files are kept and reported unless `force`.
///
/// # Errors
/// [`CertError`]; nothing was written if a file is in the way.
pub fn init(dir: &Path, cluster: &str, force: bool) -> Result<Written, CertError> {
    if !identity::is_cluster_id(cluster) {
        return Err(CertError::BadClusterId { id: cluster.to_owned() });
    }
    let target = Target::new(dir, "ca.pem", "ca.key", force)?;
    let key = new_key()?;
    let certificate = authority_certificate(cluster, &key)?;
    target.write(&certificate, &key.serialize_pem(), cluster)
}

fn authority_certificate(cluster: &str, key: &KeyPair) -> Result<String, CertError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(cluster);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, AUTHORITY_DAYS);
    Ok(params.self_signed(key).map_err(signing)?.pem())
}

/// Issues the certificate of node `origin`: `node.pem` and `node.key` in `out`, valid for a year.
///
/// `authority` is the directory [`init`] wrote to, and gives the cluster. `name` becomes the
/// certificate's common name and is for people only; without it that is `node-<origin>`.
///
/// # Errors
/// [`CertError`]; nothing was written if a file is in the way.
pub fn issue(
    authority: &Path,
    out: &Path,
    origin: u16,
    name: Option<&str>,
    force: bool,
) -> Result<Written, CertError> {
    if origin == 0 {
        return Err(CertError::BadOrigin);
    }
    let target = Target::new(out, "node.pem", "node.key", force)?;
    let (issuer, cluster) = load_authority(authority)?;
    let key = new_key()?;
    let mut params = CertificateParams::default();
    params.distinguished_name =
        name.map_or_else(|| common_name(&format!("node-{origin}")), common_name);
    params.subject_alt_names = vec![
        SanType::URI(identity::node_uri(&cluster, origin).try_into().map_err(signing)?),
        SanType::DnsName(identity::dns_name(&cluster, origin).try_into().map_err(signing)?),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, NODE_DAYS);
    let certificate = params.signed_by(&key, &issuer).map_err(signing)?;
    target.write(&certificate.pem(), &key.serialize_pem(), &cluster)
}

/// Replaces the certificate and the key of a node by new ones with the same origin and name,
/// signed by the authority of now, and takes over whom the authority trusts.
///
/// The bridge goes on with the old ones until it is told to reload.
///
/// # Errors
/// [`CertError`]; [`CertError::BadNode`] when `dir` holds no certificate of a node.
pub fn rotate(authority: &Path, dir: &Path) -> Result<Written, CertError> {
    let path = dir.join("node.pem");
    let bad = |problem: String| CertError::BadNode { path: path.clone(), problem };
    let text = read(&path)?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes())
        .map_err(|_| bad("it holds no PEM certificate".into()))?;
    let node = identity::from_certificate(&pem.contents).map_err(|e| bad(e.to_string()))?;
    let parsed = pem.parse_x509().map_err(|_| bad("it cannot be parsed".into()))?;
    let name = parsed.subject().iter_common_name().next().and_then(|cn| cn.as_str().ok());
    let (_, cluster) = load_authority(authority)?;
    if cluster != node.cluster {
        return Err(bad(format!("it is of cluster '{}', not '{cluster}'", node.cluster)));
    }
    trust(authority, dir)?;
    issue(authority, dir, node.origin, name, true)
}

/// Gives a node the list of authorities to trust, and leaves its own certificate alone.
///
/// # Errors
/// [`CertError`].
pub fn trust(authority: &Path, dir: &Path) -> Result<PathBuf, CertError> {
    let list = read(&authority.join("ca.pem"))?;
    let target = dir.join("ca.pem");
    if authority.join("ca.pem").canonicalize().ok() != target.canonicalize().ok() {
        write_file(&target, &list, 0o644, true)?;
    }
    Ok(target)
}

/// Makes a new authority for the cluster of the one in `dir`. `ca.pem` then lists the new one and
/// those before it, so that nodes with certificates of either trust each other meanwhile; the key
/// of the old one is kept as `ca.key.old`. With `retire` no new one is made, and those before it
/// are removed from the list: their certificates end to be trusted.
///
/// # Errors
/// [`CertError`].
pub fn rotate_authority(dir: &Path, retire: bool) -> Result<Written, CertError> {
    let (_, cluster) = load_authority(dir)?;
    let (certificate, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
    let written = Written { certificate, key: key_path, cluster };
    let listed = read(&written.certificate)?;
    if retire {
        write_file(&written.certificate, first_block(&listed), 0o644, true)?;
        return Ok(written);
    }
    let key = new_key()?;
    let new = authority_certificate(&written.cluster, &key)?;
    // Ended between the two, key and list do not belong together: `ca.key.old` is the way back.
    let old_key = read(&written.key)?;
    write_file(&written.key.with_extension("key.old"), &old_key, 0o600, true)?;
    let draft = format!("{new}{listed}");
    write_file(&written.key, &key.serialize_pem(), 0o600, true)?;
    write_file(&written.certificate, &draft, 0o644, true)?;
    Ok(written)
}

/// The first certificate of a list: that of the authority whose key is there.
fn first_block(list: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    list.find(END).map_or(list, |at| {
        let end = at + END.len();
        let newline = list[end..].find('\n').map_or(list.len(), |n| end + n + 1);
        &list[..newline]
    })
}

fn signing(error: rcgen::Error) -> CertError {
    CertError::Signing { problem: error.to_string() }
}

fn new_key() -> Result<KeyPair, CertError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(signing)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn set_validity(params: &mut CertificateParams, days: u32) {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + DAY * days).into();
}

fn load_authority(dir: &Path) -> Result<(Issuer<'static, KeyPair>, String), CertError> {
    let (cert_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
    let listed = read(&cert_path)?;
    let cert_pem = first_block(&listed);
    let key_pem = read(&key_path)?;
    let bad =
        |path: &Path, problem: String| CertError::BadAuthority { path: path.to_owned(), problem };
    let key = KeyPair::from_pem(&key_pem).map_err(|e| bad(&key_path, e.to_string()))?;
    let cluster = authority_cluster(cert_pem, &key).map_err(|p| bad(&cert_path, p))?;
    let issuer =
        Issuer::from_ca_cert_pem(cert_pem, key).map_err(|e| bad(&cert_path, e.to_string()))?;
    Ok((issuer, cluster))
}

/// The cluster id in the authority's certificate, if `key` is its key.
fn authority_cluster(cert_pem: &str, key: &KeyPair) -> Result<String, String> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(cert_pem.as_bytes())
        .map_err(|_| "it holds no PEM certificate".to_owned())?;
    let cert = pem.parse_x509().map_err(|_| "the certificate cannot be parsed".to_owned())?;
    if cert.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err("ca.key is not its private key".into());
    }
    let cluster = cert.subject().iter_common_name().next().and_then(|cn| cn.as_str().ok());
    match cluster {
        Some(id) if identity::is_cluster_id(id) => Ok(id.to_owned()),
        _ => Err("its common name is no cluster id".into()),
    }
}

fn read(path: &Path) -> Result<String, CertError> {
    fs::read_to_string(path).map_err(|source| CertError::Io {
        op: "read",
        path: path.to_owned(),
        source,
    })
}

/// The pair of files to write, checked before any work is done.
struct Target {
    certificate: PathBuf,
    key: PathBuf,
    force: bool,
}

impl Target {
    fn new(dir: &Path, certificate: &str, key: &str, force: bool) -> Result<Self, CertError> {
        fs::create_dir_all(dir).map_err(|source| CertError::Io {
            op: "create",
            path: dir.to_owned(),
            source,
        })?;
        let target = Self { certificate: dir.join(certificate), key: dir.join(key), force };
        for path in [&target.certificate, &target.key] {
            if !force && path.symlink_metadata().is_ok() {
                return Err(CertError::Exists { path: path.clone() });
            }
        }
        Ok(target)
    }

    /// The key first: a certificate without its key would look complete.
    fn write(self, certificate: &str, key: &str, cluster: &str) -> Result<Written, CertError> {
        write_file(&self.key, key, 0o600, self.force)?;
        write_file(&self.certificate, certificate, 0o644, self.force)?;
        Ok(Written { certificate: self.certificate, key: self.key, cluster: cluster.to_owned() })
    }
}

/// A reader sees the old file or the new one, and a key never exists with wider rights.
fn write_file(path: &Path, text: &str, mode: u32, force: bool) -> Result<(), CertError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CertError::Exists { path: path.to_owned() },
        _ => CertError::Io { op: "write", path: path.to_owned(), source },
    };
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| if force { fs::rename(&draft, path) } else { fs::hard_link(&draft, path) });
    if !force || written.is_err() {
        // A draft that cannot be removed is harmless: mode and content are those of the target.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn temp() -> tempfile::TempDir {
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir")
    }

    fn leaf_der(path: &Path) -> Vec<u8> {
        let text = fs::read(path).expect("read");
        x509_parser::pem::parse_x509_pem(&text).expect("pem").1.contents
    }

    #[test]
    fn a_node_certificate_names_its_node() {
        let dir = temp();
        let ca = init(dir.path(), "lab", false).expect("init");
        let node = issue(dir.path(), &dir.path().join("n7"), 7, None, false).expect("issue");
        assert_eq!(node.cluster, "lab");
        let found = identity::from_certificate(&leaf_der(&node.certificate)).expect("identity");
        assert_eq!((found.cluster.as_str(), found.origin), ("lab", 7));
        for key in [&ca.key, &node.key] {
            let mode = fs::metadata(key).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten_without_force() {
        let dir = temp();
        let first = init(dir.path(), "lab", false).expect("init");
        let before = fs::read(&first.certificate).expect("read");
        let refused = init(dir.path(), "lab", false).expect_err("exists");
        assert_eq!(refused.code(), 713);
        assert_eq!(fs::read(&first.certificate).expect("read"), before);
        init(dir.path(), "lab", true).expect("forced");
        assert_ne!(fs::read(&first.certificate).expect("read"), before);
        let names = fs::read_dir(dir.path()).expect("dir").count();
        assert_eq!(names, 2, "drafts are removed");
    }

    #[test]
    fn a_node_keeps_who_it_is_when_its_certificate_is_replaced() {
        let dir = temp();
        let out = dir.path().join("n7");
        init(dir.path(), "lab", false).expect("init");
        issue(dir.path(), &out, 7, Some("seven"), false).expect("issue");
        let before = leaf_der(&out.join("node.pem"));
        let new = rotate(dir.path(), &out).expect("rotate");
        let after = leaf_der(&new.certificate);
        assert_ne!(before, after);
        let found = identity::from_certificate(&after).expect("identity");
        assert_eq!((found.cluster.as_str(), found.origin), ("lab", 7));
        let text = fs::read_to_string(&new.certificate).expect("read");
        let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).expect("pem");
        let cert = pem.parse_x509().expect("x509");
        assert_eq!(cert.subject().iter_common_name().next().unwrap().as_str(), Ok("seven"));
        let elsewhere = temp();
        init(elsewhere.path(), "other", false).expect("init");
        assert_eq!(rotate(elsewhere.path(), &out).expect_err("cluster").code(), 717);
    }

    #[test]
    fn authorities_overlap_until_the_old_one_is_retired() {
        let dir = temp();
        init(dir.path(), "lab", false).expect("init");
        let old = fs::read_to_string(dir.path().join("ca.pem")).expect("read");
        rotate_authority(dir.path(), false).expect("rotate");
        let both = fs::read_to_string(dir.path().join("ca.pem")).expect("read");
        assert!(both.ends_with(&old) && both.matches("BEGIN CERTIFICATE").count() == 2);
        // The new one signs.
        let out = dir.path().join("n1");
        issue(dir.path(), &out, 1, None, false).expect("issue");
        trust(dir.path(), &out).expect("trust");
        assert_eq!(fs::read_to_string(out.join("ca.pem")).expect("read"), both);
        rotate_authority(dir.path(), true).expect("retire");
        let new = fs::read_to_string(dir.path().join("ca.pem")).expect("read");
        assert!(both.starts_with(&new) && new.matches("BEGIN CERTIFICATE").count() == 1);
        issue(dir.path(), &out, 1, None, true).expect("issue");
    }

    #[test]
    fn bad_input_is_refused() {
        let dir = temp();
        assert_eq!(init(dir.path(), "Lab!", false).expect_err("id").code(), 711);
        assert_eq!(issue(dir.path(), dir.path(), 0, None, false).expect_err("0").code(), 712);
        assert_eq!(issue(dir.path(), dir.path(), 1, None, false).expect_err("none").code(), 714);
        init(dir.path(), "lab", false).expect("init");
        let other = temp();
        init(other.path(), "lab", false).expect("init");
        fs::copy(other.path().join("ca.key"), dir.path().join("ca.key")).expect("copy");
        assert_eq!(issue(dir.path(), dir.path(), 1, None, false).expect_err("key").code(), 715);
    }
}
