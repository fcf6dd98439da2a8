//! The keyring of the system: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

#[cfg(all(unix, not(target_os = "macos")))]
mod secret_service;

use secrecy::{ExposeSecret as _, SecretString};

use self::store::Store;
use super::env::{self, Environment};

/// Under which service all entries stand.
const SERVICE: &str = "adolake";

/// The keyring, as far as there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyring {
    is_wanted: bool,
}

/// Why the keyring does not do what it is asked; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyringError(String);

impl Keyring {
    /// Returns the system's keyring, unless the environment says not to use one.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let is_wanted = environment.get(env::KEYRING).is_none_or(|word| word != "never");
        Self { is_wanted }
    }

    /// Reads the entry of this name; none = there is no such entry. May wait for somebody to unlock the keyring.
    ///
    /// # Errors
    /// When there is no keyring, or it does not answer.
    pub fn get(self, name: &str) -> Result<Option<SecretString>, KeyringError> {
        let Some(bytes) = self.store()?.get(name)? else { return Ok(None) };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(SecretString::from(text))),
            Err(_) => Err(KeyringError(format!("the entry `{name}` is no text"))),
        }
    }

    /// Writes the entry of this name.
    ///
    /// # Errors
    /// When there is no keyring, or it does not take the secret.
    pub fn set(self, name: &str, secret: &SecretString) -> Result<(), KeyringError> {
        self.store()?.set(name, secret.expose_secret().as_bytes())
    }

    /// Removes the entry of this name; returns whether there was one.
    ///
    /// # Errors
    /// When there is no keyring, or it does not answer.
    pub fn remove(self, name: &str) -> Result<bool, KeyringError> {
        self.store()?.remove(name)
    }

    fn store(self) -> Result<Store, KeyringError> {
        if !self.is_wanted {
            return Err(KeyringError(format!("`{}` says not to use one", env::KEYRING)));
        }
        Store::open()
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
use secret_service as store;

/// Keychain and Credential Manager, through the libraries of their systems.
#[cfg(any(target_os = "macos", windows))]
mod store {
    use std::sync::Arc;

    use keyring_core::{CredentialStore, Entry, Error};

    use super::{KeyringError, SERVICE};

    pub(super) struct Store(Arc<CredentialStore>);

    /// Some errors of the library carry what was read: only their text is passed on, and on one line.
    fn told(error: &Error) -> KeyringError {
        let text = error.to_string();
        KeyringError(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    impl Store {
        pub(super) fn open() -> Result<Store, KeyringError> {
            #[cfg(target_os = "macos")]
            let store = apple_native_keyring_store::keychain::Store::new();
            #[cfg(windows)]
            let store = windows_native_keyring_store::Store::new();
            Ok(Store(store.map_err(|error| told(&error))?))
        }

        fn entry(&self, name: &str) -> Result<Entry, KeyringError> {
            Entry::new_in_store(&self.0, SERVICE, name).map_err(|error| told(&error))
        }

        pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyringError> {
            match self.entry(name)?.get_secret() {
                Ok(bytes) => Ok(Some(bytes)),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(told(&error)),
            }
        }

        pub(super) fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeyringError> {
            self.entry(name)?.set_secret(secret).map_err(|error| told(&error))
        }

        pub(super) fn remove(&self, name: &str) -> Result<bool, KeyringError> {
            match self.entry(name)?.delete_credential() {
                Ok(()) => Ok(true),
                Err(Error::NoEntry) => Ok(false),
                Err(error) => Err(told(&error)),
            }
        }
    }
}
