//! Everything that looks random: a small generator, ids and commit hashes, all functions of the seed.

use std::fmt::Write as _;

/// The finalizer of splitmix64; it can be undone by [`unmix`].
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Undoes [`mix`].
const fn unmix(value: u64) -> u64 {
    let value = value ^ (value >> 31) ^ (value >> 62);
    let value = value.wrapping_mul(0x3196_42b2_d24d_8ec3);
    let value = value ^ (value >> 27) ^ (value >> 54);
    let value = value.wrapping_mul(0x96de_1b17_3f11_9089);
    value ^ (value >> 30) ^ (value >> 60)
}

/// A stream of pseudo-random numbers.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of one thing: `topic` keeps the streams of different kinds of things apart.
    pub(crate) const fn new(seed: u64, topic: u64, item: u64) -> Random {
        Random(mix(seed ^ mix(topic ^ mix(item.wrapping_add(0x9e37_79b9_7f4a_7c15)))))
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound` (0 for a bound of 0).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// An index below `len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True in `share` of 1000 cases.
    pub(crate) fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// A number of at least 0 and below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A duration in ticks between `low` and `high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below(u64::try_from(high - low).unwrap_or(0))).unwrap_or(0)
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }
}

/// A GUID of one thing.
pub(crate) fn guid(seed: u64, topic: u64, item: u64) -> String {
    let mut random = Random::new(seed, topic, item);
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// What a commit is; its hash can be read back into this, so no table of commits is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Head of the source branch of pull request at iteration.
    Source(u32, u8),
    /// An earlier commit of that push.
    Extra(u32, u8, u8),
    /// The speculative merge of pull request at iteration.
    Merge(u32, u8),
    /// The commit that landed when the pull request completed.
    Landed(u32),
    /// The target's head when iteration was pushed.
    Base(u32, u8),
    /// The n-th push to a branch that did not come from a pull request.
    Direct(u32),
    /// The n-th commit of repositories on GitHub.
    Elsewhere(u32),
}

impl Commit {
    fn pack(self) -> u64 {
        let (kind, id, a, b): (u64, u32, u8, u8) = match self {
            Commit::Source(id, n) => (1, id, n, 0),
            Commit::Extra(id, n, m) => (2, id, n, m),
            Commit::Merge(id, n) => (3, id, n, 0),
            Commit::Landed(id) => (4, id, 0, 0),
            Commit::Base(id, n) => (5, id, n, 0),
            Commit::Direct(id) => (6, id, 0, 0),
            Commit::Elsewhere(id) => (7, id, 0, 0),
        };
        (kind << 48) | (u64::from(id) << 16) | (u64::from(a) << 8) | u64::from(b)
    }

    /// Writes the 40 hexadecimal digits.
    pub(crate) fn write(self, seed: u64, out: &mut String) {
        let first = mix(self.pack() ^ mix(seed));
        let second = mix(first);
        let third = mix(second) >> 32;
        let _ = write!(out, "{first:016x}{second:016x}{third:08x}");
    }

    /// The 40 hexadecimal digits.
    pub(crate) fn sha(self, seed: u64) -> String {
        let mut text = String::with_capacity(40);
        self.write(seed, &mut text);
        text
    }

    /// Reads a hash back; nothing for one that was never given out.
    pub(crate) fn read(seed: u64, sha: &str) -> Option<Commit> {
        if sha.len() != 40 || !sha.is_ascii() {
            return None;
        }
        let first = u64::from_str_radix(&sha[..16], 16).ok()?;
        let packed = unmix(first) ^ mix(seed);
        let id = u32::try_from((packed >> 16) & 0xffff_ffff).ok()?;
        let [a, b] = u16::try_from(packed & 0xffff).ok()?.to_be_bytes();
        let commit = match packed >> 48 {
            1 => Commit::Source(id, a),
            2 => Commit::Extra(id, a, b),
            3 => Commit::Merge(id, a),
            4 => Commit::Landed(id),
            5 => Commit::Base(id, a),
            6 => Commit::Direct(id),
            7 => Commit::Elsewhere(id),
            _ => return None,
        };
        commit.sha(seed).eq_ignore_ascii_case(sha).then_some(commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_what_it_stands_for() {
        for commit in [Commit::Source(7, 3), Commit::Extra(1, 2, 3), Commit::Landed(1_170_000)] {
            let sha = commit.sha(42);
            assert_eq!(sha.len(), 40);
            assert_eq!(Commit::read(42, &sha), Some(commit));
            assert_eq!(Commit::read(43, &sha), None);
        }
        assert_eq!(Commit::read(42, &"0".repeat(40)), None);
    }

    #[test]
    fn numbers_stay_in_their_bounds() {
        let mut random = Random::new(1, 2, 3);
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(guid(1, 2, 3), guid(1, 2, 3));
        assert_eq!(guid(1, 2, 3).len(), 36);
    }
}
