//! A private key in a file that only its owner can read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Algorithm, SigningKey, crypto};
use crate::beside::{self, Existing};
use crate::{Error, ErrorKind};

impl SigningKey {
    /// The key in the file at `path`; when there is none, a new one, which the file then holds.
    ///
    /// The file holds PKCS#8 in DER (for an HMAC algorithm, the secret bytes) and is readable by its owner only. It
    /// appears whole or not at all, whenever the process dies, and two processes that start at once end with the same
    /// key.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: the file holds no key of this algorithm, or others can read it, or the algorithm is an
    ///   RSA one, of which no keys are generated here.
    /// * [`ErrorKind::Unavailable`]: it cannot be read or written.
    pub fn load_or_create(path: impl AsRef<Path>, algorithm: Algorithm) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = crypto::generate(algorithm)?;
                beside::write(path, Existing::Kept, |file| file.write_all(&key)).map_err(unavailable)?;
                // Read back rather than returned: another process may have been first.
                read(path).map_err(unavailable)?
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::new(
                    ErrorKind::Misuse,
                    "the key file must be readable by its owner, and by nobody else",
                )
                .with_source(error));
            }
            Err(error) => return Err(unavailable(error)),
        };
        Self::from_generated(algorithm, &bytes)
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can read the file"));
        }
    }
    // A key has well under a kilobyte; a larger file is something else.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(4096).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unavailable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the key file cannot be read or written").with_source(error)
}
