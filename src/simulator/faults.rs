//! Misbehaviour that can be asked for: which there is, and how it is written.
//!
//! ```text
//! throttle=50,retry-after=1     every 50th request is answered with 429
//! error=7                       the 7th request fails
//! error=4%,drop=2%,seed=9       one in 25 addresses fails when it is first asked for, one in 50 loses the connection
//! restless-pages,seed=9         a profile: a name for several of these
//! ```
//!
//! A share is one of addresses, not of requests: which ones are hit follows from the seed alone, whatever the order in
//! which they are asked for, and an address that is hit by several faults shows them one after the other. What can
//! pass does so: asked for often enough, every address gives its answer.

mod bucket;
mod inject;
mod line;
mod mangle;
mod pages;

use std::str::FromStr;

pub use self::bucket::Manners;
pub(crate) use self::inject::{Injector, break_off, inject};
pub(crate) use self::line::{Line, Lines};

/// What can go wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 429 with `Retry-After`.
    Throttle,
    /// 200 with `Retry-After`: a good answer that asks for a pause.
    Pause,
    /// 503 with `Retry-After`.
    Unavailable,
    /// A good answer, held back, with `X-RateLimit-Delay`.
    Tarpit,
    /// 500 or 502 with an HTML page.
    Error,
    /// 500 with plain text.
    TextError,
    /// 500 with `{"count":1,"value":{"Message":…}}`.
    WrappedError,
    /// The connection breaks before the answer.
    Drop,
    /// No answer ever comes.
    Hang,
    /// A sign-in page: 203, 302 to it, or 200 with HTML.
    SignIn,
    /// 401 without a reason.
    Unauthorized,
    /// Half of the answer, with a fitting length.
    Truncate,
    /// Half of the answer, with the length of the whole.
    Short,
    /// The connection breaks in the middle of the answer.
    Reset,
    /// A further page is the first one once more.
    RepeatPage,
    /// A page names itself as the next one.
    RepeatToken,
    /// A page without rows in the middle of a list.
    EmptyPage,
    /// Rows before a page are gone: it begins too late.
    Shift,
    /// Rows before a page are new: it begins too early.
    Insert,
    /// A further page by number is empty: the list has become shorter than what was read of it.
    Shrink,
    /// Begins with a byte-order mark.
    Bom,
    /// Floats for whole numbers, dates without offset, ids in capitals or without dashes.
    OddForms,
    /// `0001-01-01T00:00:00` where a date is not known.
    YearOne,
    /// Values of enumerations that no documentation names.
    UnknownEnums,
    /// Fields are absent that need not be there.
    MissingOptional,
    /// A row without the field that identifies it.
    MissingMandatory,
    /// 404 for everything inside of a repository that lists still name.
    Hidden,
    /// 204 for timelines.
    NoTimeline,
}

impl Fault {
    const ALL: [(&'static str, Fault); 28] = [
        ("throttle", Fault::Throttle),
        ("pause", Fault::Pause),
        ("unavailable", Fault::Unavailable),
        ("tarpit", Fault::Tarpit),
        ("error", Fault::Error),
        ("text-error", Fault::TextError),
        ("wrapped-error", Fault::WrappedError),
        ("drop", Fault::Drop),
        ("hang", Fault::Hang),
        ("sign-in", Fault::SignIn),
        ("unauthorized", Fault::Unauthorized),
        ("truncate", Fault::Truncate),
        ("short", Fault::Short),
        ("reset", Fault::Reset),
        ("repeat-page", Fault::RepeatPage),
        ("repeat-token", Fault::RepeatToken),
        ("empty-page", Fault::EmptyPage),
        ("shift", Fault::Shift),
        ("insert", Fault::Insert),
        ("shrink", Fault::Shrink),
        ("bom", Fault::Bom),
        ("odd-forms", Fault::OddForms),
        ("year-one", Fault::YearOne),
        ("unknown-enums", Fault::UnknownEnums),
        ("missing-optional", Fault::MissingOptional),
        ("missing-mandatory", Fault::MissingMandatory),
        ("hidden", Fault::Hidden),
        ("no-timeline", Fault::NoTimeline),
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, fault)| *fault == self).map_or("", |(name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, fault)| *fault)
    }

    /// Whether it shows only when an address is asked for the first time; all others are properties of the answer.
    const fn passes(self) -> bool {
        !matches!(
            self,
            Fault::Bom
                | Fault::OddForms
                | Fault::YearOne
                | Fault::UnknownEnums
                | Fault::MissingOptional
                | Fault::MissingMandatory
                | Fault::Hidden
                | Fault::NoTimeline
        )
    }
}

/// When a fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this request, the first being 1.
    At(u64),
    /// At every n-th request.
    Every(u64),
    /// At so many of a thousand addresses.
    Permille(u64),
}

/// What goes wrong; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Which faults, and when.
    pub rules: Vec<(Fault, When)>,
    /// Chooses the addresses of shares.
    pub seed: u64,
    /// Seconds in `Retry-After`.
    pub retry_after_s: u64,
    /// Most rows of a page, whatever is asked for.
    pub page_rows: Option<u64>,
    /// Requests that an identity may send at once, and seconds after which a spent budget is whole again.
    pub bucket: Option<(u64, u64)>,
    /// How often an address shows each fault that passes; 0 means once.
    pub times: u64,
    /// Only addresses whose path contains it; empty means all.
    pub only: String,
}

/// Names for several faults at once, with what they are about.
pub const PROFILES: [(&str, &str, &str); 9] = [
    (
        "throttled",
        "a small budget for the identity, 429 and pauses with Retry-After, tarpits, and a 401 now and then",
        "bucket=250/4,retry-after=1,throttle=0.3%,pause=0.3%,unavailable=0.3%,tarpit=1%,unauthorized=0.5%",
    ),
    (
        "flaky",
        "errors 500 and 502 of every form, connections that break before and within an answer, cut answers, no answer",
        "error=4%,text-error=2%,wrapped-error=2%,drop=3%,reset=3%,truncate=3%,short=3%,hang=0.3%",
    ),
    (
        "signed-out",
        "single sign-in pages: 203, 302, 200 with HTML, 401",
        "sign-in=4%,unauthorized=2%",
    ),
    (
        "restless-pages",
        "pages of 7 rows that repeat, shift, shrink, are empty or name themselves as the next",
        "page-rows=7,repeat-page=8%,repeat-token=8%,empty-page=8%,shift=8%,insert=8%,shrink=8%",
    ),
    (
        "odd-answers",
        "byte-order marks, floats, dates without offset, ids in other forms, the year 1 for no date",
        "bom=30%,odd-forms=50%,year-one=50%",
    ),
    (
        "strange-values",
        "unknown values of enumerations, absent fields",
        "unknown-enums=50%,missing-optional=50%",
    ),
    (
        "hidden",
        "404 inside of some repositories, 204 for some timelines",
        "hidden=20%,no-timeline=20%",
    ),
    ("broken-answers", "rows without what identifies them", "missing-mandatory=3%"),
    (
        "everything",
        "all that passes, at once",
        "bucket=250/4,retry-after=1,throttle=0.2%,pause=0.2%,tarpit=1%,error=2%,text-error=1%,wrapped-error=1%,\
         drop=1%,reset=1%,truncate=1%,short=1%,hang=0.1%,sign-in=2%,page-rows=9,repeat-page=4%,repeat-token=4%,\
         empty-page=4%,shift=4%,insert=4%,shrink=4%,bom=20%",
    ),
];

/// A fault text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a fault; known are {}", known())]
pub struct UnknownFault {
    /// The part that is not understood.
    pub text: String,
}

/// The names that are known.
fn known() -> String {
    let profiles = PROFILES.iter().map(|(name, ..)| (*name).to_owned());
    let faults = Fault::ALL.iter().map(|(name, _)| format!("{name}=N or N%"));
    let settings = [
        "retry-after=SECONDS",
        "bucket=REQUESTS/SECONDS",
        "page-rows=N",
        "times=N",
        "only=PATH",
        "seed=N",
    ];
    let all: Vec<String> = profiles.chain(faults).chain(settings.map(str::to_owned)).collect();
    all.join(", ")
}

impl FromStr for Faults {
    type Err = UnknownFault;

    /// Reads `flaky,throttle=50,truncate=7,error=2.5%`; the empty text is no fault.
    fn from_str(text: &str) -> Result<Faults, UnknownFault> {
        let mut faults = Faults::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            faults.read(part).ok_or_else(|| UnknownFault { text: part.to_owned() })?;
        }
        Ok(faults)
    }
}

impl Faults {
    fn read(&mut self, part: &str) -> Option<()> {
        let Some((name, value)) = part.split_once('=') else {
            let (_, _, text) = PROFILES.iter().find(|(name, ..)| *name == part)?;
            return text.split(',').try_for_each(|part| self.read(part.trim()));
        };
        let (name, value) = (name.trim(), value.trim());
        let number = || value.parse::<u64>().ok();
        match name {
            "retry-after" => self.retry_after_s = number()?,
            "page-rows" => self.page_rows = Some(number().filter(|rows| *rows >= 2)?),
            "times" => self.times = number()?,
            "seed" => self.seed = number()?,
            "only" => self.only = value.to_owned(),
            "bucket" => {
                let (requests, seconds) = value.split_once('/')?;
                let (requests, seconds) = (requests.parse().ok()?, seconds.parse().ok()?);
                self.bucket =
                    Some((requests, seconds)).filter(|bucket| bucket.0 > 0 && bucket.1 > 0);
                self.bucket?;
            }
            _ => {
                let fault = Fault::named(name)?;
                self.rules.push((fault, when(fault, value)?));
            }
        }
        Some(())
    }

    /// Returns whether an address is hit, and by which faults, in the order in which it shows them.
    fn hits(&self, address: u64) -> impl Iterator<Item = Fault> + '_ {
        let mut is_signed_out = false;
        self.rules.iter().filter_map(move |(fault, when)| {
            let When::Permille(share) = when else { return None };
            let is_hit = self.chance(*fault, address) % 1000 < *share;
            // Two in a row would not be single ones any more.
            let is_sign_in = matches!(fault, Fault::SignIn | Fault::Unauthorized);
            let is_second = is_hit && is_sign_in && std::mem::replace(&mut is_signed_out, true);
            (is_hit && !is_second).then_some(*fault)
        })
    }

    /// A number that follows from the seed, a fault and an address.
    fn chance(&self, fault: Fault, address: u64) -> u64 {
        super::random::mix(
            self.seed ^ super::random::mix(address ^ super::random::mix(fault as u64 + 1)),
        )
    }
}

fn when(fault: Fault, value: &str) -> Option<When> {
    if let Some(share) = value.strip_suffix('%') {
        let permille =
            share.trim().parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share))? * 10.0;
        return Some(When::Permille(permille.round() as u64));
    }
    let number = value.parse().ok()?;
    match fault {
        Fault::Throttle => Some(When::Every(number)).filter(|_| number > 0),
        _ => Some(When::At(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let faults: Faults =
            "throttle=50, retry-after=2,truncate=7,error=2.5%,seed=9".parse().unwrap();
        let rules = [
            (Fault::Throttle, When::Every(50)),
            (Fault::Truncate, When::At(7)),
            (Fault::Error, When::Permille(25)),
        ];
        assert_eq!(
            faults,
            Faults { rules: rules.to_vec(), seed: 9, retry_after_s: 2, ..Faults::default() }
        );
        assert_eq!("".parse(), Ok(Faults::default()));
        for wrong in ["flood=1", "flood", "error=101%", "error=x", "bucket=5", "page-rows=1"] {
            assert_eq!(wrong.parse::<Faults>(), Err(UnknownFault { text: wrong.to_owned() }));
        }
        for (name, ..) in PROFILES {
            assert_ne!(name.parse::<Faults>().unwrap(), Faults::default());
        }
    }

    #[test]
    fn shares_follow_the_seed() {
        let faults: Faults = "error=20%,sign-in=50%,unauthorized=50%,seed=3".parse().unwrap();
        let hit = |address| faults.hits(address).collect::<Vec<_>>();
        let errors = (0..10_000).filter(|address| hit(*address).contains(&Fault::Error)).count();
        assert!((1_800..2_200).contains(&errors), "{errors}");
        for address in 0..1_000 {
            assert_eq!(hit(address), hit(address));
            let both = [Fault::SignIn, Fault::Unauthorized];
            assert!(!both.iter().all(|fault| hit(address).contains(fault)));
        }
        let other = Faults { seed: 4, ..faults.clone() };
        assert!((0..100).any(|address| hit(address) != other.hits(address).collect::<Vec<_>>()));
    }
}
