//! The file that an export writes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::failure::Failure;

/// Writes beside the file and renames: whoever looks sees the old file or the complete new one.
/// What is no regular file, such as a pipe or a terminal, is written where it is.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let failed = |cause: io::Error| Failure::output(&nameless(cause)).of_file(path);
    if path.metadata().is_ok_and(|about| !about.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        return write_all(&file, write).map_err(|failure| failure.of_file(path));
    }
    // A link stays a link: what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    // The system's words for a directory that is not there are better than those of the library.
    directory.metadata().map_err(failed)?;
    let file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let count = write_all(file.as_file(), write).map_err(|failure| failure.of_file(path))?;
    readable_by_umask(file.as_file())
        .and_then(|()| file.persist(&target).map_err(|failed| failed.error))
        .map_err(failed)?;
    Ok(count)
}

fn write_all(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let mut out = BufWriter::with_capacity(64 << 10, file);
    let count = write(&mut out)?;
    out.flush().map_err(|cause| Failure::output(&cause))?;
    Ok(count)
}

/// Temporary files are private; the result gets the rights of any other new file.
fn readable_by_umask(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    nix::sys::stat::umask(mask);
    file.set_permissions(std::fs::Permissions::from_mode(0o666 & !mask.bits()))
}

/// The cause without the name of the temporary file, which tells nobody anything.
fn nameless(cause: io::Error) -> io::Error {
    if cause.get_ref().is_some() { cause.kind().into() } else { cause }
}
