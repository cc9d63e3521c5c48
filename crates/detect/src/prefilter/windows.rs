//! Windows: short stretches of text, each place a set of bytes, that are looked for all at once.
//!
//! A literal makes a window of its rarest four bytes, a shape one of its rarest four places. Windows are
//! spread over buckets, eight to a group; a place of a bucket admits every byte that one of its windows admits
//! there. A byte of the text is looked up once for each place and group, for 64 bytes at a time, as Teddy does
//! (G. Langdale, Hyperscan; A. Gallant, `aho-corasick`) with nibbles. Which windows share a bucket decides how
//! often a bucket is hit in vain: each goes where it adds least.

use super::Both;
use crate::byteset::ByteSet;
use crate::frequency;
use crate::words::WordTable;

/// How many bytes of a window are looked at.
pub(crate) const PLACES: usize = 4;

/// Buckets of a group: the bits of a byte.
const GROUP: usize = 8;
/// As many groups as [`Tables::buckets_at`] has bits for.
const MAX_GROUPS: usize = 16;
/// How many windows a bucket should hold: with more, buckets are hit in vain; with fewer, each block costs
/// more look-ups. Windows other than literals are wide, and dear to tell apart.
const PER_BUCKET: usize = 4;
const OTHERS_PER_BUCKET: usize = 2;

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
        let last = sets.len().saturating_sub(PLACES);
        let windows = (0..=last).map(|at| (at, Self::new(sets[at..].to_vec())));
        let rarest = windows.min_by(|(_, a), (_, b)| a.rarity().total_cmp(&b.rarity()));
        rarest.expect("there is one at 0")
    }

    /// About how often the rarest four places of a stretch stand in ordinary text. Of more one would think too
    /// well: digits come together, and so do capitals.
    pub(crate) fn least_chance(sets: &[ByteSet]) -> f32 {
        const FEW: usize = 4;
        let chances: Vec<f32> = sets.iter().map(|set| chance(*set)).collect();
        let starts = 0..=sets.len().saturating_sub(FEW);
        let each = starts.map(|at| chances[at..].iter().take(FEW).product());
        each.fold(f32::INFINITY, f32::min)
    }

    /// The same of a literal.
    pub(crate) fn literal_chance(text: &[u8]) -> f32 {
        let sets: Vec<ByteSet> = text.iter().map(|&byte| ByteSet::either_case(byte)).collect();
        Self::least_chance(&sets)
    }

    /// About how often it stands in ordinary text, places taken as independent.
    pub(crate) fn chance(&self) -> f32 {
        self.0.iter().map(|set| chance(*set)).product()
    }

    /// The same with what is known of letters side by side.
    fn rarity(&self) -> f32 {
        match self.literal().as_deref().and_then(<[u8]>::as_array) {
            Some(gram) => frequency::of_gram(gram),
            None => self.chance(),
        }
    }

    /// The bytes of a window of a literal, in lower case.
    fn literal(&self) -> Option<Vec<u8>> {
        let letter = |set: &ByteSet| {
            let first = set.iter().next()?.to_ascii_lowercase();
            (*set == ByteSet::either_case(first)).then_some(first)
        };
        let literal: Option<Vec<u8>> = self.0.iter().map(letter).collect();
        literal.filter(|literal| literal.len() == PLACES)
    }

    fn place(&self, place: usize) -> ByteSet {
        self.0.get(place).copied().unwrap_or(ByteSet::ALL)
    }
}

/// Windows in their buckets, and how to tell which of them was hit.
///
/// Most windows are [`PLACES`] bytes of a literal. Whether these stand where their buckets were hit, a hash of the
/// text's bytes tells nearly for nothing; the others, shorter ones and such of shapes, are tried one by one.
#[derive(Debug)]
pub(crate) struct Windows {
    literals: Tables,
    table: WordTable,
    /// From a word of the table to the window's number.
    numbers: Vec<u32>,
    others: Tables,
    /// The other windows in each bucket.
    buckets: Vec<Vec<u32>>,
    windows: Vec<Window>,
}

impl Windows {
    pub(crate) fn new(windows: &[Window]) -> Self {
        let (mut literals, mut numbers, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (number, window) in (0u32..).zip(windows) {
            match window.literal() {
                Some(literal) => {
                    literals.push(literal);
                    numbers.push(number);
                }
                None => others.push(number),
            }
        }
        let (literal_tables, _) = spread(windows, &numbers, PER_BUCKET);
        let (others, buckets) = spread(windows, &others, OTHERS_PER_BUCKET);
        Self {
            literals: literal_tables,
            table: WordTable::new(literals.into_iter()),
            numbers,
            others,
            buckets,
            windows: windows.to_vec(),
        }
    }

    /// Where literals may stand, and where others.
    pub(crate) fn both(&self) -> Both<'_> {
        [&self.literals, &self.others]
    }

    /// Calls `found` with the literal windows that stand at these places, and where.
    pub(crate) fn literals_at(
        &self,
        text: &[u8],
        places: &[usize],
        mut found: impl FnMut(u32, usize),
    ) {
        for &at in places {
            self.table.find(text, at, at + 1, |_, word| found(self.numbers[word as usize], at));
        }
    }

    /// Calls `found` with the other windows that stand at these places, and where.
    pub(crate) fn others_at(
        &self,
        text: &[u8],
        places: &[usize],
        mut found: impl FnMut(u32, usize),
    ) {
        // Most are hit in vain; which, no branch could predict.
        let mut hit = [(0, 0); MANY];
        for places in places.chunks(MANY) {
            let mut count = 0;
            for &at in places {
                let buckets = self.others.buckets_at(&first_bytes(&text[at..]));
                hit[count % MANY] = (at, buckets);
                count += usize::from(buckets != 0);
            }
            for &(at, mut buckets) in &hit[..count] {
                while buckets != 0 {
                    for &number in &self.buckets[buckets.trailing_zeros() as usize] {
                        if ByteSet::all_admit(&self.windows[number as usize].0, text, at) {
                            found(number, at);
                        }
                    }
                    buckets &= buckets - 1;
                }
            }
        }
    }
}

/// How many places are looked at together.
const MANY: usize = 32;

#[inline]
fn first_bytes(text: &[u8]) -> [u8; PLACES] {
    match text.first_chunk() {
        Some(first) => *first,
        None => std::array::from_fn(|at| text.get(at).copied().unwrap_or(0)),
    }
}

/// Spreads the windows with these numbers over buckets.
fn spread(windows: &[Window], numbers: &[u32], per_bucket: usize) -> (Tables, Vec<Vec<u32>>) {
    if numbers.is_empty() {
        return (Tables::default(), Vec::new());
    }
    let groups = numbers.len().div_ceil(per_bucket * GROUP).clamp(1, MAX_GROUPS);
    let mut buckets: Vec<Bucket> = vec![Bucket::default(); groups * GROUP];
    // Common ones first, so that they get buckets of their own while there are empty ones.
    let mut order: Vec<u32> = numbers.to_vec();
    order.sort_by(|&a, &b| {
        let (a, b) = (&windows[a as usize], &windows[b as usize]);
        b.chance().total_cmp(&a.chance()).then_with(|| a.cmp(b))
    });
    for number in order {
        let window = &windows[number as usize];
        let chances: [f32; PLACES] = std::array::from_fn(|place| chance(window.place(place)));
        let added = |bucket: &Bucket| bucket.chance_with(window, &chances) - bucket.chance;
        let costs: Vec<f32> = buckets.iter().map(added).collect();
        let best = (0..buckets.len())
            .min_by(|&a, &b| costs[a].total_cmp(&costs[b]))
            .expect("there is a group");
        buckets[best].add(window, &chances, number);
    }
    let mut all = vec![[0u128; 128]; PLACES];
    for (number, bucket) in buckets.iter().enumerate().filter(|(_, b)| !b.windows.is_empty()) {
        for (row, set) in all.iter_mut().zip(&bucket.sets) {
            // A byte beyond ASCII is looked up under its low seven bits.
            set.iter().for_each(|byte| row[usize::from(byte & 0x7F)] |= 1 << number);
        }
    }
    let classes = classes(&all);
    let groups = (0..groups).map(|group| {
        let row = |row: &[u128; 128]| row.map(|buckets| (buckets >> (group * GROUP)) as u8);
        Group::new(std::array::from_fn(|place| row(&all[place])), &classes)
    });
    let tables = Tables { groups: groups.collect(), classes, all };
    (tables, buckets.into_iter().map(|bucket| bucket.windows).collect())
}

/// A class for each byte, as many as a permutation of bytes can tell apart at once: bytes that the same buckets admit
/// at each place share one. Where these are too many, the rarest join those to which they bring the fewest buckets.
fn classes(all: &[[u128; 128]]) -> [u8; 128] {
    let mut classes = [0u8; 128];
    let mut kinds: Vec<(Vec<u128>, f32, Vec<usize>)> = Vec::new();
    for byte in 0..128 {
        let admitted: Vec<u128> = all.iter().map(|row| row[byte]).collect();
        let often = frequency(byte as u8);
        match kinds.iter_mut().find(|(known, ..)| *known == admitted) {
            Some((_, sum, bytes)) => {
                *sum += often;
                bytes.push(byte);
            }
            None => kinds.push((admitted, often, vec![byte])),
        }
    }
    while kinds.len() > CLASSES {
        let rarest = (0..kinds.len()).min_by(|&a, &b| kinds[a].1.total_cmp(&kinds[b].1));
        let (admitted, often, bytes) = kinds.swap_remove(rarest.expect("there are many"));
        let brings = |(known, sum, _): &(Vec<u128>, f32, _)| {
            let more = |of: &[u128], to: &[u128]| -> u32 {
                of.iter().zip(to).map(|(of, to)| (of & !to).count_ones()).sum()
            };
            sum * more(&admitted, known) as f32 + often * more(known, &admitted) as f32
        };
        let (known, sum, of) = kinds
            .iter_mut()
            .min_by(|a, b| brings(a).total_cmp(&brings(b)))
            .expect("there are many");
        known.iter_mut().zip(&admitted).for_each(|(known, more)| *known |= more);
        *sum += often;
        of.extend(bytes);
    }
    for (class, (_, _, bytes)) in (0u8..).zip(&kinds) {
        bytes.iter().for_each(|&byte| classes[byte] = class);
    }
    classes
}

const CLASSES: usize = 64;

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
    fn chance_with(&self, window: &Window, chances: &[f32; PLACES]) -> f32 {
        (0..PLACES).map(|place| self.chances[place] + self.gain(place, window, chances)).product()
    }

    /// What a place gains in chance by a window.
    fn gain(&self, place: usize, window: &Window, chances: &[f32; PLACES]) -> f32 {
        let more = window.place(place).minus(self.sets[place]);
        match more == window.place(place) {
            true => chances[place],
            false => chance(more),
        }
    }

    fn add(&mut self, window: &Window, chances: &[f32; PLACES], number: u32) {
        self.chance = self.chance_with(window, chances);
        for place in 0..PLACES {
            self.chances[place] += self.gain(place, window, chances);
            self.sets[place] = self.sets[place].union(window.place(place));
        }
        self.windows.push(number);
    }
}

/// For each group of buckets and each place, which buckets admit a byte.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(super) groups: Vec<Group>,
    /// The class of each byte, see [`classes`].
    pub(super) classes: [u8; 128],
    /// The rows of all groups side by side, for one place of the text at a time.
    all: Vec<[u128; 128]>,
}

/// Eight buckets.
#[derive(Debug)]
pub(super) struct Group {
    /// Which buckets admit each class of bytes.
    pub(super) classes: [[u8; CLASSES]; PLACES],
    /// The same by low and by high nibble; together they may admit more.
    pub(super) low: [[u8; 16]; PLACES],
    pub(super) high: [[u8; 16]; PLACES],
}

impl Group {
    fn new(rows: [[u8; 128]; PLACES], class_of: &[u8; 128]) -> Self {
        let (mut low, mut high) = ([[0; 16]; PLACES], [[0; 16]; PLACES]);
        for place in 0..PLACES {
            for byte in 0..256usize {
                low[place][byte & 15] |= rows[place][byte & 127];
                high[place][byte >> 4] |= rows[place][byte & 127];
            }
        }
        let mut classes = [[0; CLASSES]; PLACES];
        for (row, of_bytes) in classes.iter_mut().zip(&rows) {
            for (byte, buckets) in of_bytes.iter().enumerate() {
                row[usize::from(class_of[byte])] |= buckets;
            }
        }
        Self { classes, low, high }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self { groups: Vec::new(), classes: [0; 128], all: Vec::new() }
    }
}

impl Tables {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Which buckets admit the first [`PLACES`] bytes.
    #[inline]
    pub(super) fn buckets_at(&self, text: &[u8]) -> u128 {
        let rows = self.all.iter().zip(text);
        rows.fold(u128::MAX, |bits, (row, &byte)| bits & row[usize::from(byte & 0x7F)])
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
fn frequency(byte: u8) -> f32 {
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
