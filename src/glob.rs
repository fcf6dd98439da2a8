//! Globs over names and paths: `*` stays inside a `/` segment, `**` does not, everything else is literal.
//!
//! A glob is anchored at both ends and compares letters as they are; whoever compares names without regard to case
//! lowers both sides first. A `**` that is a whole segment stands for any number of segments, also none: `**/api`
//! fits `api`, `a/**/b` fits `a/b`.

use std::fmt;

/// One glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(String),
    /// `*`: any text without a slash.
    Segment,
    /// `**`: any text.
    Anything,
    /// `**/` at the start of a segment: any number of whole segments, each with its slash.
    Folders,
}

/// A pattern that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The pattern is empty.
    #[error("an empty pattern fits nothing")]
    Empty,
    /// More than two stars in a row.
    #[error(
        "`{pattern}` has more than two `*` in a row: `*` stays inside a `/` segment, `**` does not"
    )]
    Stars {
        /// The pattern.
        pattern: String,
    },
    /// A line break, tab or other control character.
    #[error("`{pattern}` holds a control character")]
    Control {
        /// The pattern, escaped.
        pattern: String,
    },
}

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// When the pattern is empty, has three stars in a row or a control character.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        if pattern.is_empty() {
            return Err(Error::Empty);
        }
        if pattern.chars().any(char::is_control) {
            return Err(Error::Control { pattern: pattern.escape_debug().to_string() });
        }
        if pattern.contains("***") {
            return Err(Error::Stars { pattern: pattern.to_owned() });
        }
        Ok(Self { pattern: pattern.to_owned(), tokens: tokens(pattern) })
    }

    /// Tells whether the pattern can fit more than one text.
    #[must_use]
    pub fn is_glob(pattern: &str) -> bool {
        pattern.contains('*')
    }

    /// Tells whether the whole of `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        fits(&self.tokens, text)
    }

    /// Returns the pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let at_segment_start = literal.ends_with('/')
            || (literal.is_empty() && matches!(tokens.last(), None | Some(Token::Folders)));
        let (token, length) = if at_segment_start && rest.starts_with("**/") {
            (Token::Folders, 3)
        } else if rest.starts_with("**") {
            (Token::Anything, 2)
        } else if first == '*' {
            (Token::Segment, 1)
        } else {
            literal.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        if !literal.is_empty() {
            tokens.push(Token::Literal(std::mem::take(&mut literal)));
        }
        tokens.push(token);
        rest = &rest[length..];
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal));
    }
    tokens
}

/// Matches all tokens at once (a set of live states per position), so that no pattern takes more than
/// `tokens × text` steps.
fn fits(tokens: &[Token], text: &str) -> bool {
    // `ends[i]` are the byte positions at which the first `i` tokens can end, ascending.
    let mut ends = vec![0];
    for token in tokens {
        let mut next: Vec<usize> = Vec::new();
        match token {
            Token::Literal(literal) => {
                next.extend(
                    ends.iter()
                        .filter(|&&end| text[end..].starts_with(literal.as_str()))
                        .map(|&end| end + literal.len()),
                );
            }
            Token::Segment => {
                let mut from = 0;
                for &end in &ends {
                    let stop = text[end..].find('/').map_or(text.len(), |at| end + at);
                    let start = end.max(from);
                    next.extend((start..=stop).filter(|&at| text.is_char_boundary(at)));
                    from = from.max(stop + 1);
                }
            }
            Token::Anything => {
                if let Some(&first) = ends.first() {
                    next.extend((first..=text.len()).filter(|&at| text.is_char_boundary(at)));
                }
            }
            Token::Folders => {
                if let Some(&first) = ends.first() {
                    let bytes = text.as_bytes();
                    next.extend((first..=text.len()).filter(|&at| {
                        ends.binary_search(&at).is_ok()
                            || (at > first && bytes.get(at - 1) == Some(&b'/'))
                    }));
                }
            }
        }
        ends = next;
        if ends.is_empty() {
            return false;
        }
    }
    ends.last() == Some(&text.len())
}

/// Globs in order, of which those that begin with `!` exclude: the last one that fits decides.
///
/// A list that only excludes starts from everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    rules: Vec<(bool, Glob)>,
}

impl Rules {
    /// Parses a list of patterns.
    ///
    /// # Errors
    /// When one of them is no glob.
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, Error> {
        let rules = patterns
            .iter()
            .map(|pattern| match pattern.as_ref().strip_prefix('!') {
                Some(excluded) => Glob::new(excluded).map(|glob| (false, glob)),
                None => Glob::new(pattern.as_ref()).map(|glob| (true, glob)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Tells whether `text` is in: the last rule that fits decides.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self.rules.iter().rev().find(|(_, glob)| glob.matches(text)) {
            Some((includes, _)) => *includes,
            None => !self.rules.is_empty() && self.rules.iter().all(|(includes, _)| !includes),
        }
    }

    /// Returns the patterns as they were given.
    pub fn patterns(&self) -> impl Iterator<Item = String> + '_ {
        self.rules
            .iter()
            .map(|(includes, glob)| if *includes { glob.to_string() } else { format!("!{glob}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn one_star_stays_inside_a_segment() {
        assert!(fit("release/*", "release/1.2"));
        assert!(!fit("release/*", "release/1.2/hotfix"));
        assert!(!fit("release/*", "release"));
        assert!(fit("release/*", "release/"));
        assert!(fit("*", "main"));
        assert!(!fit("*", "a/b"));
        assert!(fit("*/integration-*", "ci/integration-eu"));
        assert!(fit("a*c*e", "abcde"));
        assert!(!fit("a*c", "ab/c"));
    }

    #[test]
    fn two_stars_cross_segments() {
        assert!(fit("**", "a/b/c"));
        assert!(fit("release/**", "release/1/2"));
        assert!(!fit("release/**", "release"));
        assert!(fit("**/api", "api"));
        assert!(fit("**/api", "a/b/api"));
        assert!(!fit("**/api", "a/myapi"));
        assert!(fit("a/**/b", "a/b"));
        assert!(fit("a/**/b", "a/x/y/b"));
        assert!(fit("a**b", "a/x/b"));
        assert!(fit("**.md", "docs/a.md"));
    }

    #[test]
    fn everything_else_is_literal_and_anchored() {
        assert!(fit("a?[b]{c,d}.x", "a?[b]{c,d}.x"));
        assert!(!fit("a?", "ab"));
        assert!(!fit("main", "main2"));
        assert!(!fit("main", "xmain"));
        assert!(!fit("Main", "main"));
        assert!(fit("prüf-*", "prüf-ü"));
        assert!(fit("*ü", "ßü"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!fit(&"*a".repeat(40), &"a".repeat(2000).replace("aaaa", "aaab")));
        assert!(!fit(&format!("{}b", "**/".repeat(30)), &"a/".repeat(1000)));
    }

    #[test]
    fn wrong_patterns_are_named() {
        assert_eq!(Glob::new(""), Err(Error::Empty));
        assert!(matches!(Glob::new("a***b"), Err(Error::Stars { .. })));
        assert!(matches!(Glob::new("a\nb"), Err(Error::Control { .. })));
    }

    #[test]
    fn the_last_rule_that_fits_decides() {
        let rules = Rules::new(&["*", "!sandbox-*", "sandbox-keep"]).unwrap();
        assert!(rules.matches("web"));
        assert!(!rules.matches("sandbox-1"));
        assert!(rules.matches("sandbox-keep"));
        let excluding = Rules::new(&["!sandbox-*"]).unwrap();
        assert!(excluding.matches("web"));
        assert!(!excluding.matches("sandbox-1"));
        assert!(!Rules::default().matches("web"));
    }
}
