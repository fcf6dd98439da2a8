//! What a user can do about an error.

/// An error that knows what its reader can do next.
///
/// Hints are sentences in the imperative without a full stop; the command line prints each as `hint: …` below the
/// error and its causes.
pub trait Hint: std::error::Error {
    /// Returns what to try, the most promising first; empty when nothing is known to help.
    fn hints(&self) -> Vec<String>;
}

/// Returns the known word that is most likely meant by a mistyped one.
#[must_use]
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["url", "keep-versions", "options"];
        assert_eq!(nearest("ulr", words), Some("url"));
        assert_eq!(nearest("Keep_Versions", words), Some("keep-versions"));
        assert_eq!(nearest("zebra", words), None);
    }
}
