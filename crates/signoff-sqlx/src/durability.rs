//! What a confirmed commit survives.

#[cfg(any(feature = "mysql", feature = "postgres"))]
use signoff::{Error, ErrorKind};

/// What a confirmed commit survives, as far as the settings of the database tell.
///
/// A store whose settings lose confirmed commits when the server dies or power fails is refused when it is opened,
/// unless that was accepted explicitly. Disks that confirm what they have not written are beyond what it can tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Durability {
    weaknesses: Vec<&'static str>,
}

impl Durability {
    #[cfg(feature = "sqlite")]
    pub(crate) const FULL: Self = Self { weaknesses: Vec::new() };

    /// Whether a confirmed commit survives the loss of power.
    pub const fn is_full(&self) -> bool {
        self.weaknesses.is_empty()
    }

    /// What is wrong, a sentence for each setting that loses commits.
    pub fn weaknesses(&self) -> &[&'static str] {
        &self.weaknesses
    }

    /// Accepts these weaknesses only if the application did.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn judge(weaknesses: Vec<&'static str>, accepted: bool) -> Result<Self, Error> {
        match weaknesses.first() {
            Some(first) if !accepted => Err(Error::new(ErrorKind::Misuse, first)),
            _ => Ok(Self { weaknesses }),
        }
    }
}
