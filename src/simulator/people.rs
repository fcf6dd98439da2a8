//! The people, groups and machines of the organization, and how answers show them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::json::Json;
use super::random::{Random, guid};

/// Index into [`People::all`].
pub(crate) type PersonId = usize;

/// What stands behind an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An employee.
    Member,
    /// Somebody invited from outside.
    Guest,
    /// An employee who left: still named in old answers, no longer in the directory.
    Gone,
    /// The identity that pipelines of a project run as.
    BuildService,
    /// An application of the directory.
    ServicePrincipal,
    /// A team or group.
    Group,
    /// An identity that answers show with neither descriptor nor unique name.
    Bare,
}

/// One identity.
pub(crate) struct Person {
    /// The storage key: `IdentityRef.id`.
    pub(crate) id: String,
    /// The subject descriptor.
    pub(crate) descriptor: String,
    /// The name shown.
    pub(crate) name: String,
    /// The mail address, or what stands in its place.
    pub(crate) unique_name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// The members of the identity object that every answer shows.
    brief: String,
}

impl Person {
    /// Whether the identity is a group.
    pub(crate) fn is_group(&self) -> bool {
        self.kind == Kind::Group
    }

    /// Writes the members of an identity as pull request lists show reviewers: without descriptor.
    pub(crate) fn write_brief(&self, json: &mut Json) {
        json.members(&self.brief);
        if self.is_group() {
            json.bool("isContainer", true);
        }
    }

    /// Writes the identity as a whole object.
    pub(crate) fn write(&self, json: &mut Json) {
        json.object(|json| {
            self.write_brief(json);
            if self.kind != Kind::Bare {
                json.str("descriptor", &self.descriptor);
            }
        });
    }
}

/// Everybody.
pub(crate) struct People {
    /// All identities; the index is the [`PersonId`].
    pub(crate) all: Vec<Person>,
    /// The ordinary authors and reviewers of the bulk.
    pub(crate) authors: Vec<PersonId>,
    /// Groups that stand as reviewers.
    pub(crate) groups: Vec<PersonId>,
    /// Applications that open or review pull requests.
    pub(crate) robots: Vec<PersonId>,
    base: String,
    seed: u64,
}

const GIVEN: [&str; 32] = [
    "Aylin",
    "Björn",
    "Chiara",
    "Dmitri",
    "Émilie",
    "Farid",
    "Grace",
    "Hiroshi",
    "Ingrid",
    "João",
    "Kateřina",
    "Lars",
    "Mei",
    "Nikhil",
    "Olga",
    "Paweł",
    "Quentin",
    "Rosa",
    "Søren",
    "Tamar",
    "Umar",
    "Violeta",
    "William",
    "Xenia",
    "Yusuf",
    "Zoë",
    "Anna",
    "Peter",
    "Maria",
    "John",
    "Priya",
    "Łukasz",
];
const FAMILY: [&str; 40] = [
    "Andersson",
    "Bianchi",
    "Čapek",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Hughes",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Larsen",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quinn",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ünal",
    "Varga",
    "Weber",
    "Xu",
    "Yılmaz",
    "Zimmermann",
    "Smith",
    "Jones",
    "Brown",
    "Novák",
    "Silva",
    "Kumar",
    "Ali",
    "Cohen",
    "Dang",
    "Evans",
    "Friedrich",
    "Gruber",
    "Haddad",
    "Ibrahim",
];

impl People {
    /// Makes the people of the bulk; `base` is the organization's web address, `domain` that of its mail.
    pub(crate) fn new(seed: u64, base: &str, authors: usize, domain: &str) -> People {
        let mut people = People {
            all: Vec::new(),
            authors: Vec::new(),
            groups: Vec::new(),
            robots: Vec::new(),
            base: base.to_owned(),
            seed,
        };
        for number in 0..authors {
            let mut random = Random::new(seed, 11, number as u64);
            let given = GIVEN[(number * 7 + random.index(3)) % GIVEN.len()];
            let family =
                FAMILY[(number * 11 + number / GIVEN.len() + random.index(2)) % FAMILY.len()];
            let kind = match number % 23 {
                9 => Kind::Guest,
                17 => Kind::Gone,
                _ => Kind::Member,
            };
            let mail = match kind {
                Kind::Guest => format!("{}.{number}@partner.example", ascii(family)),
                _ => format!("{}.{}{number}@{domain}", ascii(given), ascii(family)),
            };
            let id = people.add(kind, &format!("{given} {family}"), &mail);
            people.authors.push(id);
        }
        for name in ["Platform Reviewers", "Security Champions", "Datenbank-Team"] {
            let id = people.add(
                Kind::Group,
                &format!("[contoso]\\{name}"),
                &format!("vstfs:///Classification/TeamProject/{name}"),
            );
            people.groups.push(id);
        }
        for name in ["dependency-updater", "release-bot"] {
            let id = people.add(Kind::ServicePrincipal, name, "");
            people.robots.push(id);
        }
        people
    }

    /// Adds an identity; an empty `unique_name` gets the one its kind has in Azure DevOps.
    pub(crate) fn add(&mut self, kind: Kind, name: &str, unique_name: &str) -> PersonId {
        let number = self.all.len() as u64;
        let id = guid(self.seed, 12, number);
        let subject = guid(self.seed, 13, number);
        let prefix = match kind {
            Kind::Member | Kind::Guest | Kind::Gone | Kind::Bare => "aad",
            Kind::BuildService => "svc",
            Kind::ServicePrincipal => "aadsp",
            Kind::Group => "vssgp",
        };
        let unique_name = match kind {
            Kind::BuildService => format!("Build\\{subject}"),
            Kind::ServicePrincipal => format!("{subject}@{}", guid(self.seed, 14, 0)),
            _ => unique_name.to_owned(),
        };
        let mut brief = Json::default();
        let base = &self.base;
        let descriptor = format!("{prefix}.{}", STANDARD_NO_PAD.encode(&subject));
        brief.str("displayName", name).str("url", &format!("{base}/_apis/Identities/{id}"));
        brief.key("_links").object(|links| {
            let href = format!("{base}/_apis/GraphProfile/MemberAvatars/{descriptor}");
            links.key("avatar").object(|avatar| _ = avatar.str("href", &href));
        });
        brief.str("id", &id).str("uniqueName", if kind == Kind::Bare { "" } else { &unique_name });
        brief.str("imageUrl", &format!("{base}/_api/_common/identityImage?id={id}"));
        self.all.push(Person {
            id,
            descriptor,
            name: name.to_owned(),
            unique_name,
            kind,
            brief: brief.finish(),
        });
        self.all.len() - 1
    }

    /// The identity with this storage key.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Person> {
        self.all.iter().find(|person| person.id.eq_ignore_ascii_case(id))
    }

    /// The identity with this descriptor.
    pub(crate) fn by_descriptor(&self, descriptor: &str) -> Option<&Person> {
        self.all.iter().find(|person| person.descriptor == descriptor)
    }

    /// The identity at `id`.
    pub(crate) fn get(&self, id: PersonId) -> &Person {
        &self.all[id]
    }
}

/// The ASCII letters of a name in lower case, for mail addresses.
fn ascii(name: &str) -> String {
    name.chars()
        .map(|letter| match letter.to_lowercase().next().unwrap_or(letter) {
            'ö' | 'ø' => 'o',
            'é' | 'ë' | 'ě' => 'e',
            'ü' | 'ú' => 'u',
            'ł' => 'l',
            'č' => 'c',
            'ř' => 'r',
            'ã' | 'á' => 'a',
            'í' | 'ı' => 'i',
            other => other,
        })
        .filter(char::is_ascii_alphabetic)
        .collect()
}
