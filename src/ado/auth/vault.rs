//! Where a sign-in is kept between runs: the system's keyring, or where there is none a sealed file.
//!
//! The file is sealed with AES-256-GCM under a key that lies in a file beside it, or is derived from a passphrase in
//! the environment. Both files can be read by their owner only. The key beside the file protects against what copies
//! single files (backups, a support bundle, a look over the shoulder), not against somebody who can read all files of
//! the owner; the passphrase does that too, as long as it is not kept on the same disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, pbkdf2};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::error::SignInError;
use crate::config::{Environment, Keyring, env};

const KEY_LEN: usize = 32;
const SALT_LEN: usize = 16;
/// As OWASP advises for PBKDF2 with HMAC-SHA256.
const ROUNDS: std::num::NonZeroU32 = match std::num::NonZeroU32::new(600_000) {
    Some(rounds) => rounds,
    None => std::num::NonZeroU32::MIN,
};

/// A place for one secret.
#[derive(Debug, Clone)]
pub struct Vault {
    name: String,
    keyring: Keyring,
    folder: Option<PathBuf>,
    passphrase: Option<SecretString>,
}

/// Where a secret went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The system's keyring.
    Keyring,
    /// A sealed file, as the keyring could not be used.
    File {
        /// The file.
        file: PathBuf,
        /// Why not the keyring.
        reason: String,
    },
}

/// The file: everything but the sealed text is open.
#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u32,
    /// Salt of the passphrase; none where the key lies in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    nonce: String,
    sealed: String,
}

impl Vault {
    /// Returns the place for the sign-in of an application's user to an organization.
    pub(super) fn new(organization: &str, client_id: &str, environment: &Environment) -> Self {
        Self {
            name: format!("{organization}/{client_id}"),
            keyring: Keyring::of(environment),
            folder: environment.state_home().map(|home| home.join("adolake").join("login")),
            passphrase: environment.get(env::LOGIN_PASSPHRASE).map(SecretString::from),
        }
    }

    /// Returns what is kept, the likelier first: the keyring may hold something older than the file, where it could not
    /// be written for a while. May wait for somebody to unlock the keyring.
    pub(super) fn load(&self) -> Result<Vec<SecretString>, SignInError> {
        let mut found: Vec<SecretString> =
            self.keyring.get(&self.name).ok().flatten().into_iter().collect();
        if let Some(secret) = self.load_file()? {
            found.push(secret);
        }
        Ok(found)
    }

    /// Waits until no other process is between reading and keeping; the turn ends when what is returned is dropped.
    /// None where there is nothing to wait by, as without a folder that can be written.
    pub(super) fn turn(&self) -> Option<File> {
        let file = self.file()?.with_extension("lock");
        create_folder(file.parent()?).ok()?;
        let file =
            private(OpenOptions::new().write(true).create(true).truncate(false)).open(file).ok()?;
        file.lock().ok()?;
        Some(file)
    }

    /// Keeps a secret in place of the one before.
    ///
    /// # Errors
    /// When neither keyring nor file takes it.
    pub fn save(&self, secret: &SecretString) -> Result<Kept, SignInError> {
        match self.keyring.set(&self.name, secret) {
            Ok(()) => {
                self.remove_file()?;
                Ok(Kept::Keyring)
            }
            Err(error) => {
                let file = self.save_file(secret)?;
                Ok(Kept::File { file, reason: error.to_string() })
            }
        }
    }

    /// Forgets the secret everywhere; returns whether there was one.
    ///
    /// # Errors
    /// When a file is there and cannot be removed.
    pub fn remove(&self) -> Result<bool, SignInError> {
        let was_in_keyring = self.keyring.remove(&self.name).unwrap_or(false);
        Ok(self.remove_file()? || was_in_keyring)
    }

    fn file(&self) -> Option<PathBuf> {
        let hash = digest::digest(&digest::SHA256, self.name.as_bytes());
        let short = hex::encode(&hash.as_ref()[..6]);
        let plain: String = self
            .name
            .split('/')
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        Some(self.folder.as_ref()?.join(format!("{plain}-{short}.json")))
    }

    fn load_file(&self) -> Result<Option<SecretString>, SignInError> {
        let Some(file) = self.file() else { return Ok(None) };
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &file, &error.to_string())),
        };
        let bad = |problem: &str| failed("open", &file, problem);
        let sealed: Sealed = serde_json::from_slice(&text)
            .map_err(|_| bad("it is not what `adolake login` writes"))?;
        if sealed.version != 1 {
            return Err(bad("it was written by a newer adolake"));
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| bad("it is damaged"));
        let key = match &sealed.salt {
            Some(salt) => self.derived(&decode(salt)?).ok_or_else(|| {
                bad(&format!(
                    "it needs the passphrase that `{}` had when it was written",
                    env::LOGIN_PASSPHRASE
                ))
            })?,
            None => read_key(&key_file(&file))?.ok_or_else(|| bad("its key file is gone"))?,
        };
        let nonce = Nonce::try_assume_unique_for_key(&decode(&sealed.nonce)?)
            .map_err(|_| bad("it is damaged"))?;
        let mut bytes = Zeroizing::new(decode(&sealed.sealed)?);
        let wrong = "passphrase or key are others than when it was written, or it was changed";
        let opened = cipher(&key)
            .and_then(|cipher| {
                cipher.open_in_place(nonce, Aad::from(self.name.as_bytes()), &mut bytes).ok()
            })
            .ok_or_else(|| bad(wrong))?;
        let text = std::str::from_utf8(opened).map_err(|_| bad("it is damaged"))?;
        Ok(Some(SecretString::from(text)))
    }

    fn save_file(&self, secret: &SecretString) -> Result<PathBuf, SignInError> {
        let file = self.file().ok_or_else(|| SignInError::Vault {
            what: "cannot keep the sign-in".to_owned(),
            problem: format!(
                "there is no keyring, and neither `{}` nor `{}` names a folder",
                env::XDG_STATE_HOME,
                env::HOME
            ),
        })?;
        let written = |error: &io::Error| failed("write", &file, &error.to_string());
        let folder = file.parent().unwrap_or(Path::new("."));
        create_folder(folder).map_err(|error| failed("create", folder, &error.to_string()))?;
        let random = |bytes: &mut [u8]| {
            SystemRandom::new()
                .fill(bytes)
                .map_err(|_| failed("seal", &file, "the system gives no random numbers"))
        };
        let (key, salt) = if self.passphrase.is_some() {
            let mut salt = [0; SALT_LEN];
            random(&mut salt)?;
            (self.derived(&salt), Some(STANDARD.encode(salt)))
        } else {
            let key_file = key_file(&file);
            let key = match read_key(&key_file)? {
                Some(key) => key,
                None => {
                    let mut key = Zeroizing::new([0; KEY_LEN]);
                    random(&mut *key)?;
                    let text = Zeroizing::new(STANDARD.encode(*key));
                    write_private(&key_file, text.as_bytes())
                        .map_err(|error| failed("write", &key_file, &error.to_string()))?;
                    key
                }
            };
            (Some(key), None)
        };
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let mut bytes = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let tag = key
            .and_then(|key| cipher(&key))
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let aad = Aad::from(self.name.as_bytes());
                cipher.seal_in_place_separate_tag(nonce, aad, &mut bytes).ok()
            })
            .ok_or_else(|| failed("seal", &file, "the cipher does not take it"))?;
        bytes.extend_from_slice(tag.as_ref());
        let sealed = Sealed {
            version: 1,
            salt,
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(&*bytes),
        };
        let text = serde_json::to_vec(&sealed).map_err(|error| written(&error.into()))?;
        write_private(&file, &text).map_err(|error| written(&error))?;
        Ok(file)
    }

    fn remove_file(&self) -> Result<bool, SignInError> {
        let Some(file) = self.file() else { return Ok(false) };
        match fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", &file, &error.to_string())),
        }
    }

    fn derived(&self, salt: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
        let passphrase = self.passphrase.as_ref()?.expose_secret().as_bytes();
        let mut key = Zeroizing::new([0; KEY_LEN]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, passphrase, &mut *key);
        Some(key)
    }
}

fn failed(verb: &str, file: &Path, problem: &str) -> SignInError {
    let what = format!("cannot {verb} `{}`, where the sign-in is kept", file.display());
    SignInError::Vault { what, problem: problem.to_owned() }
}

fn cipher(key: &[u8; KEY_LEN]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?))
}

/// One key for all sealed files of a folder.
fn key_file(file: &Path) -> PathBuf {
    file.with_file_name("key")
}

fn read_key(file: &Path) -> Result<Option<Zeroizing<[u8; KEY_LEN]>>, SignInError> {
    let text = match fs::read(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", file, &error.to_string())),
    };
    let bytes = STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).ok();
    let key = bytes.and_then(|bytes| <[u8; KEY_LEN]>::try_from(bytes.as_slice()).ok());
    key.map(|key| Some(Zeroizing::new(key))).ok_or_else(|| failed("read", file, "it is no key"))
}

fn create_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }
    #[cfg(not(unix))]
    fs::create_dir_all(folder)
}

/// Lets only the owner read what is created.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Writes a file that only its owner can read: under another name first, renamed when it is on the disk.
fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    // What a killed run left behind may have other rights.
    let _ = fs::remove_file(&part);
    let mut options = OpenOptions::new();
    let options = private(options.write(true).create_new(true));
    let result = options.open(&part).and_then(|mut opened| {
        opened.write_all(content)?;
        opened.sync_all()?;
        fs::rename(&part, file)
    });
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(folder: &Path, passphrase: Option<&str>) -> Vault {
        let mut variables = vec![
            (env::KEYRING, "never".to_owned()),
            (env::XDG_STATE_HOME, folder.display().to_string()),
        ];
        variables.extend(passphrase.map(|text| (env::LOGIN_PASSPHRASE, text.to_owned())));
        Vault::new("contoso", "app", &Environment::from_iter(variables))
    }

    fn loaded(vault: &Vault) -> Vec<String> {
        vault.load().unwrap().iter().map(|secret| secret.expose_secret().to_owned()).collect()
    }

    fn saved(vault: &Vault, text: &str) -> PathBuf {
        match vault.save(&SecretString::from(text)).unwrap() {
            Kept::File { file, .. } => file,
            Kept::Keyring => panic!("there is a keyring"),
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        for passphrase in [None, Some("correct horse")] {
            let vault = vault(folder.path(), passphrase);
            assert_eq!(loaded(&vault), [""; 0]);
            let file = saved(&vault, "refresh-1");
            saved(&vault, "refresh-2");
            assert_eq!(loaded(&vault), ["refresh-2"]);
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("refresh"), "{text}");
            assert!(vault.remove().unwrap() && !vault.remove().unwrap());
            assert_eq!(loaded(&vault), [""; 0]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = saved(&vault(folder.path(), None), "refresh");
        for (path, mode) in
            [(file.as_path(), 0o600), (&key_file(&file), 0o600), (file.parent().unwrap(), 0o700)]
        {
            let found = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
        let names = fs::read_dir(file.parent().unwrap()).unwrap().count();
        assert_eq!(names, 2, "nothing half-written stays behind");
    }

    #[test]
    fn a_file_of_another_key_place_or_content_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let own = vault(folder.path(), Some("correct horse"));
        let file = saved(&own, "refresh");
        let told = |vault: &Vault| vault.load().unwrap_err().to_string();
        assert!(
            told(&vault(folder.path(), Some("wrong"))).contains("passphrase or key are others")
        );
        assert!(told(&vault(folder.path(), None)).contains(env::LOGIN_PASSPHRASE));
        // The sealed text of one organization is of no use for another.
        let other = Vault { name: "fabrikam/app".to_owned(), ..own.clone() };
        fs::copy(&file, other.file().unwrap()).unwrap();
        assert!(told(&other).contains("it was changed"));
        fs::write(&file, "{}").unwrap();
        assert!(told(&own).contains("not what `adolake login` writes"));
    }
}
