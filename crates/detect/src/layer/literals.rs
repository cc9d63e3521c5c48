//! Literals and who waits for them, packed for what is read again and again: much text holds some.

use std::collections::BTreeMap;

use super::starts::{ByteSets, ByteSetsBuilder, SetNumber};
use crate::byteset::ByteSet;
use crate::compile::shape::TAIL;
use crate::lexicon::{Headed, Starts};

/// All literals of a layer, by their numbers.
#[derive(Debug)]
pub(crate) struct Literals {
    list: Vec<Literal>,
    /// The texts, in lower case, one after the other.
    texts: Vec<u8>,
    /// The rules that literals are anchors of, literal by literal.
    anchors: Vec<Anchor>,
    /// The rules whose gate is their keywords, and the literal is one, literal by literal.
    keyword_of: Vec<Vec<u32>>,
}

/// A literal.
#[derive(Debug)]
pub(crate) struct Literal {
    /// Where its text and its anchors are among those of all.
    text: u32,
    first_anchor: u32,
    len: u16,
    anchors: u16,
    /// Whether it leads to rules as a keyword.
    pub(crate) keyword_leads: bool,
    /// Its number as a context word, if it is one.
    pub(crate) word: Option<u32>,
    /// Its number as a keyword, if it is one.
    pub(crate) keyword: Option<u32>,
}

/// A rule that a literal is an anchor of, and what the places behind the literal admit: most words of prose that are
/// also an anchor are told by these.
#[derive(Debug)]
struct Anchor {
    rule: u32,
    tail: [SetNumber; TAIL],
    tail_len: u8,
}

impl Literals {
    pub(crate) fn get(&self, literal: u32) -> &Literal {
        &self.list[literal as usize]
    }

    pub(crate) fn len(&self, literal: u32) -> usize {
        self.get(literal).len.into()
    }

    pub(crate) fn text(&self, literal: u32) -> &[u8] {
        let literal = self.get(literal);
        &self.texts[literal.text as usize..][..usize::from(literal.len)]
    }

    /// The rules that a literal leads to as a keyword.
    pub(crate) fn keyword_of(&self, literal: u32) -> &[u32] {
        &self.keyword_of[literal as usize]
    }

    /// Calls `found` with the number of each anchor that the literal is, if a match may go on as the text does where
    /// the literal ends.
    #[inline]
    pub(crate) fn anchors_at(
        &self,
        literal: &Literal,
        sets: &ByteSets,
        text: &[u8],
        end: usize,
        mut found: impl FnMut(u32),
    ) {
        let first = literal.first_anchor;
        let anchors = &self.anchors[first as usize..][..usize::from(literal.anchors)];
        for (number, anchor) in (first..).zip(anchors) {
            if sets.all_admit(&anchor.tail[..usize::from(anchor.tail_len)], text, end) {
                found(number);
            }
        }
    }

    /// The rule of an anchor.
    pub(crate) fn anchored(&self, anchor: u32) -> u32 {
        self.anchors[anchor as usize].rule
    }
}

/// Literals while rules are gathered.
#[derive(Default)]
pub(super) struct Builder {
    numbers: BTreeMap<Vec<u8>, u32>,
    pub(super) list: Vec<Gathered>,
}

/// A literal, in lower case, while rules are gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) text: Vec<u8>,
    /// The rules whose gate it is, and its tail in each; their candidates come from where it stands.
    anchor_of: Vec<(u32, Vec<ByteSet>)>,
    /// The rules whose gate is their keywords, and it is one.
    pub(super) keyword_of: Vec<u32>,
    pub(super) word: Option<u32>,
    pub(super) keyword: Option<u32>,
    /// Where it counts at most for the rules that it is an anchor of.
    starts: Starts,
    /// Whether a word may go on behind it for one of these.
    may_go_on: bool,
}

impl Gathered {
    /// As the lexicon takes it.
    pub(super) fn headed(&self) -> Headed<'_> {
        let is_keyword = self.keyword.is_some();
        Headed {
            text: &self.text,
            starts: if is_keyword { self.starts.max(Starts::Name) } else { self.starts },
            ends_word: !self.may_go_on && !is_keyword,
        }
    }

    /// What a place behind it admits, if it is nothing but an anchor and all of its tails are as long.
    pub(super) fn behind(&self, place: usize) -> Option<ByteSet> {
        let is_anchor_only = self.word.is_none() && self.keyword.is_none();
        let mut tails = self.anchor_of.iter().filter(|_| is_anchor_only);
        let first = tails.next()?.1.get(place).copied();
        tails.map(|(_, tail)| tail.get(place)).fold(first, |all, set| Some(all?.union(*set?)))
    }
}

impl Builder {
    pub(super) fn anchors(
        &mut self,
        list: &[Vec<u8>],
        rule: u32,
        starts: Starts,
        tails: Vec<Vec<ByteSet>>,
    ) {
        for (text, tail) in list.iter().zip(tails) {
            let joins = |set: &ByteSet| set.iter().any(|byte| byte.is_ascii_alphanumeric());
            let literal = self.at(text);
            literal.may_go_on |= starts != Starts::Word || tail.first().is_none_or(joins);
            literal.starts = literal.starts.max(starts);
            literal.anchor_of.push((rule, tail));
        }
    }

    pub(super) fn at(&mut self, text: &[u8]) -> &mut Gathered {
        let number = match self.numbers.get(text) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(self.list.len()).expect(FEW);
                self.numbers.insert(text.to_vec(), number);
                self.list.push(Gathered { text: text.to_vec(), ..Gathered::default() });
                number
            }
        };
        &mut self.list[number as usize]
    }

    pub(super) fn build(self, sets: &mut ByteSetsBuilder) -> Literals {
        const SHORT: &str = "literals are short";
        let (mut list, mut texts, mut anchors) = (Vec::new(), Vec::new(), Vec::new());
        let mut keyword_of = Vec::new();
        for literal in self.list {
            list.push(Literal {
                text: u32::try_from(texts.len()).expect(FEW),
                len: u16::try_from(literal.text.len()).expect(SHORT),
                first_anchor: u32::try_from(anchors.len()).expect(FEW),
                anchors: u16::try_from(literal.anchor_of.len()).expect(FEW),
                keyword_leads: !literal.keyword_of.is_empty(),
                word: literal.word,
                keyword: literal.keyword,
            });
            texts.extend_from_slice(&literal.text);
            anchors.extend(literal.anchor_of.into_iter().map(|(rule, sets_behind)| {
                let mut tail = [0; TAIL];
                for (place, set) in tail.iter_mut().zip(&sets_behind) {
                    *place = sets.number(*set);
                }
                Anchor { rule, tail, tail_len: sets_behind.len().min(TAIL) as u8 }
            }));
            keyword_of.push(literal.keyword_of);
        }
        Literals { list, texts, anchors, keyword_of }
    }
}

const FEW: &str = "limits keep literals few";
