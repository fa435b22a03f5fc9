//! The one source of randomness: Philox4x32-10, a counter-based generator. A number depends on (seed, step, site, element)
//! only, so every backend draws the same masks, and a resumed run draws what the uninterrupted one would have.
//! Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

/// `step` of initial values; no training step reaches it.
pub const INITIAL: u64 = u64::MAX;
/// `step` base of the order of rows: epoch e uses `ORDER - e`.
const ORDER: u64 = u64::MAX - 1;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds over a counter of four words and a key of two.
#[inline]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Numbers of one site at one step.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: [u32; 2],
    step: u64,
    site: u32,
}

impl Stream {
    pub fn new(seed: u64, step: u64, site: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], step, site }
    }

    /// The four words of block `block`: elements 4 block to 4 block + 3. Blocks wrap after 2^32; the site's high bits stay apart.
    #[inline]
    fn block(&self, block: u64) -> [u32; 4] {
        philox([block as u32, self.site, self.step as u32, (self.step >> 32) as u32], self.key)
    }

    fn words(&self) -> impl Iterator<Item = u32> + '_ {
        (0u64..).flat_map(|b| self.block(b))
    }

    /// Doubles in (0, 1), two words each.
    fn open_unit(&self) -> impl Iterator<Item = f64> + '_ {
        (0u64..).flat_map(|b| {
            let w = self.block(b);
            [[w[0], w[1]], [w[2], w[3]]].map(|[low, high]| {
                let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
                (bits as f64 + 0.5) / (1u64 << 53) as f64
            })
        })
    }

    /// `len` numbers of U(low, high).
    pub fn uniform(&self, low: f64, high: f64, len: usize) -> Vec<f64> {
        self.open_unit().take(len).map(|u| low + (high - low) * u).collect()
    }

    /// `len` numbers of N(0, std^2), by Box and Muller.
    pub fn normal(&self, std: f64, len: usize) -> Vec<f64> {
        let mut units = self.open_unit();
        let mut values = Vec::with_capacity(len + 1);
        while values.len() < len {
            let (Some(u), Some(v)) = (units.next(), units.next()) else { break };
            let radius = std * (-2.0 * u.ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
            values.extend([radius * cos, radius * sin]);
        }
        values.truncate(len);
        values
    }

    /// Inverted dropout: 0 with probability `p`, else 1 / (1 - p), for elements 0 to `len`.
    pub fn dropout_mask(&self, p: f64, len: usize) -> Vec<f32> {
        let mut kept = vec![0; len];
        self.kept(p, 0, &mut kept);
        kept.into_iter().map(|k| if k == 0 { 0.0 } else { keep_scale(p) }).collect()
    }

    /// 0 for each dropped element, 1 for each kept one, from element `first` on.
    pub fn kept(&self, p: f64, first: u64, kept: &mut [u8]) {
        let threshold = (p * f64::from(u32::MAX)) as u32;
        let mut block = first / 4;
        let mut skip = (first % 4) as usize;
        let mut rest = kept;
        while !rest.is_empty() {
            let mut flags = [0; 4 * WIDE];
            blocks(self.key, [self.site, self.step as u32, (self.step >> 32) as u32], block, threshold, &mut flags);
            let taken = rest.len().min(flags.len() - skip);
            let (now, later) = rest.split_at_mut(taken);
            now.copy_from_slice(&flags[skip..skip + taken]);
            (rest, skip, block) = (later, 0, block + WIDE as u64);
        }
    }
}

/// What kept elements are multiplied by at dropout probability `p`.
pub fn keep_scale(p: f64) -> f32 {
    (1.0 / (1.0 - p)) as f32
}

/// Blocks drawn together.
const WIDE: usize = 16;

/// Flags of blocks `first` to `first + WIDE`: [`philox`] side by side, so that it compiles to vector instructions.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blocks(key: [u32; 2], rest: [u32; 3], first: u64, threshold: u32, flags: &mut [u8; 4 * WIDE]) {
    let counters = std::array::from_fn(|lane| (first as u32).wrapping_add(lane as u32));
    let mut c = [counters, [rest[0]; WIDE], [rest[1]; WIDE], [rest[2]; WIDE]];
    let mut k = key;
    for _ in 0..10 {
        let mut next = [[0u32; WIDE]; 4];
        for lane in 0..WIDE {
            let a = u64::from(MULTIPLIERS[0]) * u64::from(c[0][lane]);
            let b = u64::from(MULTIPLIERS[1]) * u64::from(c[2][lane]);
            next[0][lane] = (b >> 32) as u32 ^ c[1][lane] ^ k[0];
            next[1][lane] = b as u32;
            next[2][lane] = (a >> 32) as u32 ^ c[3][lane] ^ k[1];
            next[3][lane] = a as u32;
        }
        c = next;
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    for lane in 0..WIDE {
        for (word, column) in c.iter().enumerate() {
            flags[4 * lane + word] = u8::from(column[lane] >= threshold);
        }
    }
}

/// The order of `rows` rows in `epoch`, by Fisher and Yates.
pub fn permutation(seed: u64, epoch: u64, rows: usize) -> Vec<usize> {
    let stream = Stream::new(seed, ORDER - epoch, site_of("order"));
    let mut order: Vec<usize> = (0..rows).collect();
    for (i, word) in (1..rows).rev().zip(stream.words()) {
        // Multiply-shift: its bias is under i / 2^32.
        order.swap(i, ((u64::from(word) * (i as u64 + 1)) >> 32) as usize);
    }
    order
}

/// How many of `rank` columns a training step of a nested method uses: each of 1 to `rank` alike often.
pub fn nested_rank(seed: u64, step: u64, rank: usize) -> usize {
    let word = Stream::new(seed, step, site_of("nested rank")).block(0)[0];
    1 + ((u64::from(word) * rank as u64) >> 32) as usize
}

/// The site of a named tensor: FNV-1a of its name.
pub fn site_of(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (kat_vectors).
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn masks_keep_their_share_and_their_mean() {
        let mask = Stream::new(7, 3, 1).dropout_mask(0.1, 100_000);
        let dropped = mask.iter().filter(|m| **m == 0.0).count() as f64 / 1e5;
        assert!((dropped - 0.1).abs() < 0.005, "{dropped}");
        assert!(mask.iter().all(|m| *m == 0.0 || *m == (1.0f64 / 0.9) as f32));
        assert_eq!(mask[..10], Stream::new(7, 3, 1).dropout_mask(0.1, 10)[..]);
        assert_ne!(mask[..100], Stream::new(7, 4, 1).dropout_mask(0.1, 100)[..]);
        assert_ne!(mask[..100], Stream::new(8, 3, 1).dropout_mask(0.1, 100)[..]);
        assert_ne!(mask[..100], Stream::new(7, 3, 2).dropout_mask(0.1, 100)[..]);
    }

    #[test]
    fn flags_are_those_of_single_blocks_from_any_element() {
        let stream = Stream::new(u64::MAX - 5, (7 << 32) + 9, 4);
        let expected: Vec<u8> = stream.words().take(1_000).map(|w| u8::from(w >= u32::MAX / 2)).collect();
        for first in [0, 1, 2, 3, 4, 63, 64, 65, 130] {
            for len in [0, 1, 5, 63, 64, 65, 200, 700] {
                let mut kept = vec![9; len];
                stream.kept(0.5, first as u64, &mut kept);
                assert_eq!(kept, expected[first..first + len], "{len} from {first}");
            }
        }
    }

    #[test]
    fn normal_has_its_moments() {
        let values = Stream::new(1, INITIAL, 5).normal(2.0, 100_001);
        assert_eq!(values.len(), 100_001);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 4.0).abs() < 0.08, "{variance}");
    }

    #[test]
    fn nested_ranks_are_alike_often_and_change_with_step_and_seed() {
        let draw = |seed: u64| (0..8_000).map(|step| nested_rank(seed, step, 8)).collect::<Vec<_>>();
        for k in 1..=8 {
            let count = draw(3).iter().filter(|d| **d == k).count();
            assert!((900..1_100).contains(&count), "{k}: {count}");
        }
        assert_ne!(draw(3), draw(4));
        assert!((0..100).all(|step| nested_rank(0, step, 1) == 1));
    }

    #[test]
    fn an_order_holds_each_row_once_and_changes_with_epoch_and_seed() {
        let order = permutation(0, 0, 1_000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
        assert_ne!(order, permutation(0, 1, 1_000));
        assert_ne!(order, permutation(1, 0, 1_000));
        assert!(permutation(0, 0, 0).is_empty());
    }
}
