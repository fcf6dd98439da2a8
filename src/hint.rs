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

/// Returns the known words that are nearest to a mistyped one, at most `count`, the nearest first. Unlike [`nearest`]
/// it also names words that share a part with it, as long as there is any likeness.
#[must_use]
pub fn nearest_few<'w>(
    word: &str,
    known: impl IntoIterator<Item = &'w str>,
    count: usize,
) -> Vec<&'w str> {
    const LIKENESS: f64 = 0.45;
    let word = word.to_lowercase();
    let mut alike: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (likeness(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    alike.dedup_by_key(|(_, candidate)| *candidate);
    alike.into_iter().take(count).map(|(_, candidate)| candidate).collect()
}

/// From 0 to 1; names in folders are also compared by their last part.
fn likeness(word: &str, candidate: &str) -> f64 {
    let last = |text: &str| text.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let whole = strsim::normalized_damerau_levenshtein(word, candidate);
    whole.max(strsim::normalized_damerau_levenshtein(&last(word), &last(candidate)))
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

    #[test]
    fn names_in_folders_are_near_by_their_last_part() {
        let names = ["\\security\\CodeQL", "integration-api", "integration-web"];
        assert_eq!(nearest_few("CodeSQL", names, 3), ["\\security\\CodeQL"]);
        assert_eq!(nearest_few("integration-apis", names, 1), ["integration-api"]);
        assert!(nearest_few("zebra", names, 3).is_empty());
    }
}
