//! The Secret Service of a Linux desktop over the session bus: find, read, write and delete one text by two attributes.
//!
//! Written against `dbus` rather than taken from a keyring library: those turn on features of shared dependencies that
//! double the build. Secrets cross the bus in the clear, which only the owner's own processes can listen to.
//! Specification: <https://specifications.freedesktop.org/secret-service/>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dbus::arg::{PropMap, RefArg, Variant};
use dbus::blocking::{Connection, Proxy};
use dbus::message::MatchRule;
use dbus::{Message, Path};

use super::{KeyringError, SERVICE};

const BUS: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";
const ITEM_INTERFACE: &str = "org.freedesktop.Secret.Item";
const PROMPT_INTERFACE: &str = "org.freedesktop.Secret.Prompt";
/// How long the service may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a person may take to unlock the keyring.
const PROMPT_PATIENCE: Duration = Duration::from_secs(120);

/// A secret on the bus: session, parameters, value, content type.
type Secret = (Path<'static>, Vec<u8>, Vec<u8>, String);

/// An open session with the service.
pub(super) struct Store {
    bus: Connection,
    session: Path<'static>,
}

fn told(error: &dbus::Error) -> KeyringError {
    let text = error.message().or(error.name()).unwrap_or("no Secret Service").trim();
    KeyringError(text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned())
}

impl Store {
    /// Connects to the session bus and to the service on it.
    pub(super) fn open() -> Result<Store, KeyringError> {
        let bus = Connection::new_session().map_err(|error| told(&error))?;
        let session: Path<'static> = {
            let service = bus.with_proxy(BUS, ROOT, PATIENCE);
            let (_, session): (Variant<Box<dyn RefArg>>, Path<'static>) = service
                .method_call(SERVICE_INTERFACE, "OpenSession", ("plain", Variant("")))
                .map_err(|error| told(&error))?;
            session
        };
        Ok(Store { bus, session })
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyringError> {
        let Some(item) = self.find(name)? else { return Ok(None) };
        let (secret,): (Secret,) = self
            .at(&item)
            .method_call(ITEM_INTERFACE, "GetSecret", (self.session.clone(),))
            .map_err(|error| told(&error))?;
        Ok(Some(secret.2))
    }

    pub(super) fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeyringError> {
        let (collection,): (Path<'static>,) = self
            .service()
            .method_call(SERVICE_INTERFACE, "ReadAlias", ("default",))
            .map_err(|error| told(&error))?;
        if is_none(&collection) {
            return Err(KeyringError("there is no default keyring".to_owned()));
        }
        self.unlock(&collection)?;
        let attributes: HashMap<String, String> =
            attributes(name).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut properties = PropMap::new();
        let mut put = |key: &str, value: Box<dyn RefArg>| {
            properties.insert(format!("{ITEM_INTERFACE}.{key}"), Variant(value));
        };
        put("Label", Box::new(format!("adolake: {name}")));
        put("Attributes", Box::new(attributes));
        let content_type = "text/plain; charset=utf8".to_owned();
        let secret: Secret = (self.session.clone(), Vec::new(), secret.to_vec(), content_type);
        let (_, prompt): (Path<'static>, Path<'static>) = self
            .at(&collection)
            .method_call(COLLECTION_INTERFACE, "CreateItem", (properties, secret, true))
            .map_err(|error| told(&error))?;
        self.answered(&prompt)
    }

    pub(super) fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        let Some(item) = self.find(name)? else { return Ok(false) };
        let (prompt,): (Path<'static>,) = self
            .at(&item)
            .method_call(ITEM_INTERFACE, "Delete", ())
            .map_err(|error| told(&error))?;
        self.answered(&prompt)?;
        Ok(true)
    }

    fn service(&self) -> Proxy<'_, &Connection> {
        self.bus.with_proxy(BUS, ROOT, PATIENCE)
    }

    fn at<'a>(&'a self, path: &Path<'static>) -> Proxy<'a, &'a Connection> {
        self.bus.with_proxy(BUS, path.clone(), PATIENCE)
    }

    /// Finds an item, and unlocks it where it is locked.
    fn find(&self, name: &str) -> Result<Option<Path<'static>>, KeyringError> {
        let (open, locked): (Vec<Path<'static>>, Vec<Path<'static>>) = self
            .service()
            .method_call(SERVICE_INTERFACE, "SearchItems", (attributes(name),))
            .map_err(|error| told(&error))?;
        if let Some(item) = open.into_iter().next() {
            return Ok(Some(item));
        }
        let Some(item) = locked.into_iter().next() else { return Ok(None) };
        self.unlock(&item)?;
        Ok(Some(item))
    }

    fn unlock(&self, path: &Path<'static>) -> Result<(), KeyringError> {
        let (_, prompt): (Vec<Path<'static>>, Path<'static>) = self
            .service()
            .method_call(SERVICE_INTERFACE, "Unlock", (vec![path.clone()],))
            .map_err(|error| told(&error))?;
        self.answered(&prompt)
    }

    /// Lets the service ask the person, where it wants to, and waits for the answer.
    fn answered(&self, prompt: &Path<'static>) -> Result<(), KeyringError> {
        if is_none(prompt) {
            return Ok(());
        }
        // None until the person has answered; then whether the question was dismissed.
        let answer: Arc<Mutex<Option<bool>>> = Arc::default();
        let rule = MatchRule::new_signal(PROMPT_INTERFACE, "Completed").with_path(prompt.clone());
        let heard = Arc::clone(&answer);
        let hear = move |(): (), _: &Connection, message: &Message| {
            let is_dismissed = message.get1::<bool>().unwrap_or(true);
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(is_dismissed);
            false
        };
        self.bus.add_match(rule, hear).map_err(|error| told(&error))?;
        let () = self
            .at(prompt)
            .method_call(PROMPT_INTERFACE, "Prompt", ("",))
            .map_err(|error| told(&error))?;
        let until = Instant::now() + PROMPT_PATIENCE;
        while Instant::now() < until {
            self.bus.process(Duration::from_millis(500)).map_err(|error| told(&error))?;
            match *answer.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(false) => return Ok(()),
                Some(true) => return Err(KeyringError("the keyring was not unlocked".to_owned())),
                None => {}
            }
        }
        Err(KeyringError("nobody unlocked the keyring in time".to_owned()))
    }
}

/// By what an item is found.
fn attributes(name: &str) -> HashMap<&'static str, String> {
    HashMap::from([("service", SERVICE.to_owned()), ("username", name.to_owned())])
}

/// The service writes `/` where there is nothing.
fn is_none(path: &Path<'_>) -> bool {
    &**path == "/"
}
