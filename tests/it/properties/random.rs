//! A small source of repeatable randomness.

/// Numbers by the splitmix64 recurrence.
pub struct Random(u64);

impl Random {
    /// Begins with `ADOLAKE_SEED`, where that is set.
    pub fn new() -> Self {
        let seed = std::env::var("ADOLAKE_SEED").ok().and_then(|text| text.parse().ok());
        Self(seed.unwrap_or(20_260_301))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from(self.next() % span).unwrap()
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }

    /// One of them.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let index = self.between(0, i64::try_from(of.len()).unwrap() - 1);
        of[usize::try_from(index).unwrap()]
    }
}
