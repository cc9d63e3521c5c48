//! Windows: short stretches of text, each place a set of bytes, that are looked for all at once.
//!
//! A literal makes a window of its rarest four bytes, a shape one of its rarest four places. Windows are
//! spread over buckets, eight to a group; a place of a bucket admits every byte that one of its windows admits
//! there. A byte of the text is looked up once for each place and group, for 64 bytes at a time, as Teddy does
//! (G. Langdale, Hyperscan; A. Gallant, `aho-corasick`) with nibbles. Which windows share a bucket decides how
//! often a bucket is hit in vain: each goes where it adds least.

use crate::byteset::ByteSet;

/// How many bytes of a window are looked at.
pub(crate) const PLACES: usize = 4;

/// Buckets of a group: the bits of a byte.
const GROUP: usize = 8;
/// As many groups as [`Tables::buckets_at`] has bits for.
const MAX_GROUPS: usize = 8;
/// What a hit costs beside the windows of its bucket, in windows.
const HIT: f32 = 8.0;
/// How many windows a bucket should hold: with more, buckets are hit in vain; with fewer, each block costs
/// more look-ups.
const PER_BUCKET: usize = 6;

/// Up to [`PLACES`] sets of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Window(Vec<ByteSet>);

impl Window {
    pub(crate) fn new(mut sets: Vec<ByteSet>) -> Self {
        sets.truncate(PLACES);
        Self(sets)
    }

    /// The rarest window among the places of a longer stretch, and where it begins.
    pub(crate) fn rarest(sets: &[ByteSet]) -> (usize, Self) {
        let chances: Vec<f32> = sets.iter().map(|set| chance(*set)).collect();
        let (mut best, mut least) = (0, f32::INFINITY);
        for at in 0..=sets.len().saturating_sub(PLACES) {
            let chance = chances[at..].iter().take(PLACES).product();
            if chance < least {
                (best, least) = (at, chance);
            }
        }
        (best, Self::new(sets[best..].to_vec()))
    }

    /// About how often it stands in ordinary text, places taken as independent.
    pub(crate) fn chance(&self) -> f32 {
        self.0.iter().map(|set| chance(*set)).product()
    }

    fn place(&self, place: usize) -> ByteSet {
        self.0.get(place).copied().unwrap_or(ByteSet::ALL)
    }
}

/// Windows in their buckets.
#[derive(Debug)]
pub(crate) struct Windows {
    tables: Tables,
    /// The windows in each bucket, and their numbers.
    buckets: Vec<Vec<(Shortcut, u32)>>,
}

/// What four bytes must be, letters in lower case, for a window to be worth a look: one comparison.
#[derive(Debug, Clone, Copy)]
struct Shortcut {
    mask: u32,
    value: u32,
}

/// As far as a place admits one byte, or one letter in both cases.
fn shortcut(window: &Window) -> Shortcut {
    let (mut mask, mut value) = (0, 0);
    for place in 0..PLACES {
        let folded: Vec<u8> = window.place(place).iter().map(|byte| byte | 0x20).collect();
        if let Some((&first, rest)) = folded.split_first()
            && rest.iter().all(|&byte| byte == first)
        {
            mask |= 0xFF << (8 * place);
            value |= u32::from(first) << (8 * place);
        }
    }
    Shortcut { mask, value }
}

impl Windows {
    pub(crate) fn new(windows: &[Window]) -> Self {
        let groups = windows.len().div_ceil(PER_BUCKET * GROUP).clamp(1, MAX_GROUPS);
        let mut buckets: Vec<Bucket> = vec![Bucket::default(); groups * GROUP];
        // Common ones first, so that they get buckets of their own while there are empty ones.
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&windows[a], &windows[b]);
            b.chance().total_cmp(&a.chance()).then_with(|| a.cmp(b))
        });
        for number in order {
            let window = &windows[number];
            let added = |bucket: &Bucket| {
                let len = bucket.windows.len() as f32;
                bucket.chance_with(window) * (HIT + len + 1.0) - bucket.chance * (HIT + len)
            };
            let costs: Vec<f32> = buckets.iter().map(added).collect();
            let best = (0..buckets.len())
                .min_by(|&a, &b| costs[a].total_cmp(&costs[b]))
                .expect("there is a group");
            buckets[best].add(window, number);
        }
        let mut tables = Tables { groups: Vec::with_capacity(groups) };
        for group in buckets.chunks(GROUP) {
            let mut rows = [[0u8; 128]; PLACES];
            for (bit, bucket) in group.iter().enumerate().filter(|(_, b)| !b.windows.is_empty()) {
                for (row, set) in rows.iter_mut().zip(&bucket.sets) {
                    // A byte beyond ASCII is looked up under its low seven bits.
                    set.iter().for_each(|byte| row[usize::from(byte & 0x7F)] |= 1 << bit);
                }
            }
            tables.groups.push(Group::new(rows));
        }
        let with_shortcut = |number: u32| (shortcut(&windows[number as usize]), number);
        let buckets = buckets
            .into_iter()
            .map(|bucket| bucket.windows.into_iter().map(with_shortcut).collect())
            .collect();
        Self { tables, buckets }
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The numbers of the windows that may stand at the start of `text`, which is at least [`PLACES`] bytes
    /// long or the haystack's end.
    pub(crate) fn candidates(&self, text: &[u8]) -> impl Iterator<Item = u32> + '_ {
        let mut first = [0; PLACES];
        let len = text.len().min(PLACES);
        first[..len].copy_from_slice(&text[..len]);
        let mut bits = self.tables.buckets_at(&first);
        let folded = u32::from_le_bytes(first) | 0x2020_2020;
        std::iter::from_fn(move || {
            let bucket = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
            bits &= bits - 1;
            Some(&self.buckets[bucket])
        })
        .flatten()
        .filter(move |(shortcut, _)| folded & shortcut.mask == shortcut.value)
        .map(|&(_, window)| window)
    }
}

#[derive(Debug, Clone)]
struct Bucket {
    sets: [ByteSet; PLACES],
    chances: [f32; PLACES],
    chance: f32,
    windows: Vec<u32>,
}

impl Default for Bucket {
    fn default() -> Self {
        let (sets, chances) = ([ByteSet::EMPTY; PLACES], [0.0; PLACES]);
        Self { sets, chances, chance: 0.0, windows: Vec::new() }
    }
}

impl Bucket {
    fn chance_with(&self, window: &Window) -> f32 {
        let places = self.sets.iter().zip(&self.chances).enumerate();
        places.map(|(place, (set, chance))| chance + gain(*set, window.place(place))).product()
    }

    fn add(&mut self, window: &Window, number: usize) {
        self.chance = self.chance_with(window);
        for (place, set) in self.sets.iter_mut().enumerate() {
            self.chances[place] += gain(*set, window.place(place));
            *set = set.union(window.place(place));
        }
        self.windows.push(u32::try_from(number).expect("limits keep windows few"));
    }
}

/// What a set gains in chance by another.
fn gain(set: ByteSet, more: ByteSet) -> f32 {
    chance(more.minus(set))
}

/// For each group of buckets and each place, which buckets admit a byte.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(super) groups: Vec<Group>,
}

/// Eight buckets.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rows: [[u8; 128]; PLACES],
    /// The same by low and by high nibble; together they may admit more.
    pub(super) low: [[u8; 16]; PLACES],
    pub(super) high: [[u8; 16]; PLACES],
}

impl Group {
    fn new(rows: [[u8; 128]; PLACES]) -> Self {
        let (mut low, mut high) = ([[0; 16]; PLACES], [[0; 16]; PLACES]);
        for place in 0..PLACES {
            for byte in 0..256usize {
                low[place][byte & 15] |= rows[place][byte & 127];
                high[place][byte >> 4] |= rows[place][byte & 127];
            }
        }
        Self { rows, low, high }
    }
}

impl Tables {
    /// Which buckets admit the first [`PLACES`] bytes.
    #[inline]
    pub(super) fn buckets_at(&self, text: &[u8]) -> u64 {
        let mut bits = 0;
        for (number, group) in self.groups.iter().enumerate() {
            let rows = group.rows.iter().zip(text);
            let bucket = rows.fold(0xFF, |bits, (row, &byte)| bits & row[usize::from(byte & 127)]);
            bits |= u64::from(bucket) << (number * GROUP);
        }
        bits
    }
}

/// The share of bytes of ordinary text that a place with this set lets through. Bytes beyond ASCII are looked up
/// under their low seven bits, and let those through as well.
fn chance(set: ByteSet) -> f32 {
    if set == ByteSet::ALL {
        return 1.0;
    }
    let through = |byte: u8| set.contains(byte) || set.contains(byte | 0x80);
    (0..0x80).filter(|&byte| through(byte)).map(frequency).sum::<f32>()
}

/// Roughly how often a byte stands in prompts, code and JSON: letters as in English.
pub(crate) fn frequency(byte: u8) -> f32 {
    const LETTERS: [f32; 26] = [
        8.2, 1.5, 2.8, 4.3, 12.7, 2.2, 2.0, 6.1, 7.0, 0.15, 0.77, 4.0, 2.4, 6.7, 7.5, 1.9, 0.1,
        6.0, 6.3, 9.1, 2.8, 0.98, 2.4, 0.15, 2.0, 0.07,
    ];
    match byte {
        b' ' => 0.15,
        b'a'..=b'z' => 0.0066 * LETTERS[usize::from(byte - b'a')],
        b'A'..=b'Z' => 0.0006 * LETTERS[usize::from(byte - b'A')],
        b'0'..=b'9' => 0.06 / 10.0,
        b'\n' | b'"' | b',' | b'.' | b'_' | b'-' | b':' | b'/' => 0.10 / 8.0,
        0x21..=0x7E => 0.02 / 23.0,
        0x80..=0xFF => 0.01 / 128.0,
        _ => 0.001,
    }
}
