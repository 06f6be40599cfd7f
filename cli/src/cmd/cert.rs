//! `vug cert`: every call into the certificate maker is in this file.

use std::path::Path;

use vug_netbridge::cert::{CertError, Written};

use super::{Context, stdout};
use crate::args::{Cert, CertRotate};
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: Cert) -> Result<(), Failure> {
    let files = match args {
        Cert::Init(args) => init(&args.dir, &args.cluster, args.force)?,
        Cert::Issue(args) => {
            issue(&args.ca, &args.dir, args.origin, args.name.as_deref(), args.force)?
        }
        Cert::Rotate(args) => match rotate(&args)? {
            Some(files) => files,
            None => return Ok(()),
        },
    };
    let Some(format) = context.format else {
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("cluster", Cell::text(&files.cluster)),
        ("certificate", Cell::text(files.certificate.display())),
        ("key", Cell::text(files.key.display())),
    ]);
    sheet.write_record(&mut stdout(), format)
}

/// Nothing if only the list of authorities was copied.
fn rotate(args: &CertRotate) -> Result<Option<Written>, Failure> {
    use vug_netbridge::cert;
    let Some(ca) = &args.ca else {
        return cert::rotate_authority(&args.dir, args.retire).map(Some).map_err(refused);
    };
    if args.trust_only {
        return cert::trust(ca, &args.dir).map(|_| None).map_err(refused);
    }
    cert::rotate(ca, &args.dir).map(Some).map_err(refused)
}

/// Makes the authority of a cluster in `dir`.
pub(crate) fn init(dir: &Path, cluster: &str, force: bool) -> Result<Written, Failure> {
    vug_netbridge::cert::init(dir, cluster, force).map_err(refused)
}

/// Makes the files of one node in `dir`: its certificate, its key, and whom it trusts.
pub(crate) fn issue(
    authority: &Path,
    dir: &Path,
    origin: u16,
    name: Option<&str>,
    force: bool,
) -> Result<Written, Failure> {
    let written =
        vug_netbridge::cert::issue(authority, dir, origin, name, force).map_err(refused)?;
    let (from, to) = (authority.join("ca.pem"), dir.join("ca.pem"));
    // The node needs the authority's certificate too; its directory may be the authority's own.
    if from.canonicalize().ok() != to.canonicalize().ok() {
        std::fs::copy(&from, &to).map_err(|cause| {
            let text = format!("{} cannot be copied to {}: {cause}", from.display(), to.display());
            Failure::new(code::OUTPUT, text, "name a directory this user may write to")
        })?;
    }
    Ok(written)
}

fn refused(error: CertError) -> Failure {
    Failure::new(error.code(), error.to_string(), error.help())
}
