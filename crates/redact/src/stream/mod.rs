//! Redacting a stream as it passes: bytes in, bytes out, and as little as may be in between.
//!
//! A stream is taken unit by unit: an event, a line, a frame, an element of an array. What its deltas join to
//! is a *channel* for each choice, item and tool call, as when a body is read whole. Of each channel, the end
//! is held back as long as what comes may still make it part of a value; a unit is let go when none of its
//! pieces is held, and all before it have gone. What has gone is remembered as far as it may decide what
//! follows: the end of a text, and for JSON in pieces, such as the arguments of a tool, where in it they are.

mod hold;
mod units;

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::body::CapturedBody;
use crate::edit::{Edit, apply_within};
use crate::encoding::Decoder;
use crate::error::{RedactError, RedactErrorKind};
use crate::event_stream;
use crate::explore::Carried;
use crate::hits::Hit;
use crate::redactor::{ExchangeRedactor, MAX_PASSES};
use crate::report::{Format, Report};
use units::{Cutter, Taken};

pub(crate) use hold::FAR;
pub(crate) use units::Units;

/// What is held is looked at again when it has grown by one part in so many: each look reads all of it, and more looks
/// would let go of it no more than some words earlier.
const PATIENCE: usize = 3;

/// Redacts one body of an exchange while it passes.
///
/// However the body is cut into pushes, what comes out is the same. It is what [`ExchangeRedactor::redact`] makes
/// of the whole, but that nothing can be taken back: where only later text gives a value away, a copy of it
/// that stood before has gone as it was. And a channel that goes on in the middle of a value after 16 KiB have come
/// of others is not joined over the gap.
///
/// What is no stream (one JSON document, forms, media, UTF-16) comes out at the end. A content type should say what
/// it is: without one, the first 512 bytes decide.
///
/// ```
/// use oubliette_detect::RuleSet;
/// use oubliette_redact::{Policy, Redactor};
///
/// let redactor = Redactor::new(RuleSet::standard(), Policy::default());
/// let mut stream = redactor.exchange().stream(Some("text/event-stream".into()), None)?;
/// let mut out = stream.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"I am jo@exa\"}}]}\n\n")?;
/// out.extend(stream.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"mple.com\"}}]}\n\n")?);
/// let (rest, report) = stream.finish()?;
/// out.extend(rest);
/// assert!(String::from_utf8_lossy(&out).contains("I am <EMAIL_ADDRESS_1>"));
/// assert_eq!(report.total(), 1);
/// # Ok::<(), oubliette_redact::RedactError>(())
/// ```
///
/// # Cost
///
/// Held back is what may still be part of a value: of plain words some fifty bytes of text in each channel, 256
/// after a digit or a sign that values have, a token or private key as long as it goes on, up to 16 KiB; with
/// rules beside the standard ones 256 in any case. Beside the units that hold this, a stream takes a few
/// kilobytes. Each unit costs a scan of what is held.
pub struct StreamRedactor {
    exchange: ExchangeRedactor,
    decoder: Decoder,
    /// How many bytes have come of it.
    decoded: usize,
    content_type: Option<String>,
    taken: Option<Taken>,
    /// What has come and not gone.
    held: Zeroizing<Vec<u8>>,
    /// Where the units in it end.
    ends: Vec<usize>,
    cutter: Cutter,
    /// How many units there are to be before it is asked again whether some may go.
    patience: usize,
    carried: Carried,
    /// Whether only the standard rules are in force, of which it is known how far they reach.
    standard: bool,
    report: Report,
}

impl ExchangeRedactor {
    /// Begins a body of the exchange that is to be redacted while it passes.
    ///
    /// # Errors
    ///
    /// If the encoding is not one that can be undone.
    pub fn stream(
        self,
        content_type: Option<String>,
        content_encoding: Option<String>,
    ) -> Result<StreamRedactor, RedactError> {
        let decoder = Decoder::new(content_encoding.as_deref())?;
        let report = Report {
            rule_set: self.redactor.digest().to_owned(),
            decoded_from: content_encoding.filter(|_| decoder.decodes()),
            ..Report::default()
        };
        Ok(StreamRedactor {
            standard: self.redactor.is_standard(),
            exchange: self,
            decoder,
            decoded: 0,
            content_type,
            taken: None,
            held: Zeroizing::default(),
            ends: Vec::new(),
            cutter: Cutter::default(),
            patience: 0,
            carried: Carried::default(),
            report,
        })
    }
}

impl fmt::Debug for StreamRedactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRedactor")
            .field("held", &self.held.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl StreamRedactor {
    /// Takes bytes as they come, and returns those that are ready to go.
    ///
    /// # Errors
    ///
    /// If the encoding is damaged, more is held or has been decompressed than the policy allows, or what is ready does not come out clean. What
    /// has not come out must then not go on, and nothing else may be pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, RedactError> {
        let mut out = Vec::new();
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.push(bytes, &mut |slice| self.take_in(slice, &mut out))?;
        self.decoder = decoder;
        Ok(out)
    }

    /// Takes bytes with their encodings undone.
    fn take_in(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        self.held.extend_from_slice(bytes);
        self.decoded += bytes.len();
        self.take(out, false)?;
        let limit = self.exchange.policy().limit();
        // What is sent as it is may go on for ever; a bomb would.
        let bomb = self.report.decoded_from.is_some() && self.decoded > limit;
        if self.held.len() > limit || bomb {
            return Err(RedactError::new(RedactErrorKind::TooLarge { limit }));
        }
        Ok(())
    }

    /// Ends the stream: returns what was still held, and the report on all of it.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<(Vec<u8>, Report), RedactError> {
        let mut out = Vec::new();
        let mut decoder = std::mem::take(&mut self.decoder);
        self.report.truncated |= decoder.finish(&mut |slice| self.take_in(slice, &mut out))?;
        self.take(&mut out, true)?;
        if self.taken == Some(Taken::Whole) {
            let body = CapturedBody::new(std::mem::take(&mut *self.held), self.content_type, None);
            let redacted = self.exchange.redact(body)?;
            let mut report = redacted.report().clone();
            report.truncated |= self.report.truncated;
            report.decoded_from = self.report.decoded_from;
            return Ok((redacted.bytes().to_vec(), report));
        }
        Ok((out, self.report))
    }

    /// How many bytes have come and not gone.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Works off what has come, one unit after the other.
    fn take(&mut self, out: &mut Vec<u8>, last: bool) -> Result<(), RedactError> {
        if self.taken.is_none() {
            let told = Format::of(self.content_type.as_deref());
            let hint = self.exchange.policy().format.or(told);
            self.taken = units::taken(&self.held, hint, self.content_type.as_deref(), last);
            if let Some(Taken::Units(units)) = self.taken {
                self.report.format = units.format();
            }
        }
        let Some(Taken::Units(units)) = self.taken else { return Ok(()) };
        while let Some(end) = self.cutter.next_end(units, &self.held, last) {
            self.ends.push(end);
            // The end of a stream decides more than its last unit does.
            if self.ends.len() >= self.patience && !(last && end == self.held.len()) {
                self.step(units, out, false)?;
                // What is held is read again each time, so it is to have grown by its part.
                self.patience = self.ends.len() + self.ends.len() / PATIENCE + 1;
            }
        }
        if last { self.step(units, out, true) } else { Ok(()) }
    }

    /// Lets go of the units that are decided.
    fn step(&mut self, units: Units, out: &mut Vec<u8>, last: bool) -> Result<(), RedactError> {
        let Some(&end) = self.ends.last() else { return Ok(()) };
        let mut text = Zeroizing::new(self.held[..end].to_vec());
        let mut ends = self.ends.clone();
        // How many units go, and where the last of them ends: there, and in the text as it is by now.
        let mut going: Option<(usize, usize)> = None;
        for _ in 0..MAX_PASSES {
            let carried = std::mem::take(&mut self.carried);
            let explored = self.exchange.explore_units(&text, units, &ends, carried);
            let mut hits = self.exchange.find(&explored, None);
            self.exchange.echo(&explored, &mut hits, None);
            let placed = hits.placed(&explored.reading, false);
            let (count, until) = match going {
                Some((count, until)) => (count, until),
                None if last => (ends.len(), end),
                None => {
                    let count = hold::decided(&explored, &ends, &placed, self.standard);
                    (count, count.checked_sub(1).map_or(0, |at| ends[at]))
                }
            };
            if count == 0 {
                self.carried = explored.into_carried();
                return Ok(());
            }
            let first = going.is_none();
            if first {
                self.report.fell_back |= explored.fell_back || (last && explored.loses_tail);
                self.report.truncated |= last && explored.truncated;
            }
            let gone = |hit: &(Hit, Vec<Range<usize>>)| hit.1.iter().all(|r| r.end <= until);
            let placed: Vec<_> = placed.into_iter().filter(gone).collect();
            let edits = self.exchange.edits(&explored, placed, until, first, &mut self.report);
            let edits = explored.reading.edits_of_body(edits);
            let lossy = last && first && explored.loses_tail;
            if edits.is_empty() && !lossy {
                out.extend_from_slice(&text[..until]);
                self.carried = explored.remember(until);
                let gone = self.ends[count - 1];
                self.held.drain(..gone);
                self.ends.drain(..count);
                self.ends.iter_mut().for_each(|end| *end -= gone);
                self.cutter.moved(gone);
                return Ok(());
            }
            let redacted = rebuild(units, &text, until, &edits);
            going = Some((count, redacted.len()));
            self.carried = explored.into_carried();
            ends = moved(&ends, until, redacted.len(), &edits);
            text = Zeroizing::new([&redacted[..], &text[until..]].concat());
        }
        Err(RedactError::new(RedactErrorKind::Unsettled))
    }
}

/// Where units end when those up to an offset have been edited. Frames find their own ends.
fn moved(ends: &[usize], until: usize, redacted: usize, edits: &[Edit]) -> Vec<usize> {
    let mut edits = edits.iter().peekable();
    let (mut gone, mut come) = (0, 0);
    ends.iter()
        .map(|&end| {
            if end >= until {
                return end - until + redacted;
            }
            while let Some(edit) = edits.next_if(|edit| edit.range.end <= end) {
                gone += edit.range.len();
                come += edit.with.len();
            }
            (end + come - gone).min(redacted)
        })
        .collect()
}

/// The units up to an offset, with edits applied.
fn rebuild(units: Units, text: &[u8], until: usize, edits: &[Edit]) -> Vec<u8> {
    match units {
        Units::Frames => event_stream::rebuild(&text[..until], edits),
        _ => apply_within(text, 0..until, edits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_end_where_edits_have_moved_them() {
        let edit = |start, end, with: &str| Edit { range: start..end, with: with.into() };
        let edits = [edit(2, 4, "abcde"), edit(12, 18, "")];
        assert_eq!(moved(&[10, 20, 30], 20, 17, &edits), [13, 17, 27]);
        assert_eq!(apply_within(&[b' '; 20], 0..20, &edits).len(), 17);
    }
}
