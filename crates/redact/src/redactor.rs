//! The redactor: reads a body, finds, replaces, and reads the result again until nothing is found.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use oubliette_detect::{EntityType, Explanation, RuleIndex, RuleSet, ScanOptions, Span};
use zeroize::Zeroizing;

use crate::attachment;
use crate::body::{CapturedBody, RedactedBody};
use crate::delta::is_identity;
use crate::edit::{Edit, apply, written};
use crate::encoding;
use crate::error::{RedactError, RedactErrorKind};
use crate::event_stream;
use crate::explore::{Aside, Carried, Explored, explore, explore_units};
use crate::grpc;
use crate::hits::{Hit, Hits};
use crate::json::{self, Ignore, Lexed};
use crate::media;
use crate::memo::Memo;
use crate::multipart;
use crate::operator::{Operator, mask};
use crate::otlp;
use crate::paths::Paths;
use crate::policy::{Attachments, Opaque, Policy, Vectors};
use crate::pool::{Lent, Pool};
use crate::pseudonyms::{Pseudonyms, canonical};
use crate::reading::{Kind, NodeId};
use crate::report::{Format, Report};
use crate::stream::Units;
use crate::surrogate;
use crate::utf16::{self, Utf16};

/// A rule set and a policy, ready to redact. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Redactor {
    pool: Arc<Pool>,
    pub(crate) policy: Arc<Policy>,
}

impl Redactor {
    /// Puts a rule set and a policy together.
    #[must_use]
    pub fn new(rules: RuleSet, policy: Policy) -> Self {
        Self { pool: Pool::new(rules), policy: Arc::new(policy) }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        self.pool.rules()
    }

    /// The digest of the rules, in hex.
    pub(crate) fn digest(&self) -> &str {
        self.pool.digest()
    }

    /// Whether the standard rules are in force and no others.
    pub(crate) fn is_standard(&self) -> bool {
        self.pool.is_standard()
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Begins an exchange: its bodies share the numbers of their placeholders.
    #[must_use]
    pub fn exchange(&self) -> ExchangeRedactor {
        self.exchange_of("")
    }

    /// As [`exchange`](Self::exchange), of an API that the policy may have paths of its own for.
    #[must_use]
    pub fn exchange_of(&self, api: &str) -> ExchangeRedactor {
        let paths = self.policy.apis.get(api).unwrap_or(&self.policy.paths);
        ExchangeRedactor {
            paths: paths.clone(),
            redactor: self.clone(),
            scanner: self.pool.lend(),
            pseudonyms: Pseudonyms::default(),
            memo: Memo::default(),
        }
    }

    /// Finds without replacing. A value that a stream cuts into pieces yields one finding for each
    /// piece. Spans are in the body's bytes once `content-encoding` is undone, in order.
    ///
    /// # Errors
    ///
    /// If the body's encoding cannot be undone or it is too large.
    pub fn find(&self, body: &CapturedBody) -> Result<Vec<BodyFinding>, RedactError> {
        let policy = &self.policy;
        let plain = Plain::of(body, policy)?;
        let bytes = plain.bytes(body);
        let Some(explored) = self.explored(bytes, &plain) else { return Ok(Vec::new()) };
        let mut hits = Hits::default();
        hits.scan(&explored, &mut self.pool.lend(), policy, None, &mut Memo::default());
        let mut findings: Vec<_> = hits
            .placed(&explored.reading, policy.entities.is_some())
            .into_iter()
            .flat_map(|(hit, ranges)| {
                ranges.into_iter().map(move |range| BodyFinding {
                    rule: hit.rule,
                    score: hit.score,
                    span: Span { start: range.start, end: range.end },
                })
            })
            .collect();
        findings.sort_by_key(|finding| (finding.span, finding.rule));
        for finding in &mut findings {
            finding.span = plain.in_body(bytes, finding.span);
        }
        Ok(findings)
    }

    /// A body as it is read; `None` if it is no text.
    fn explored<'b>(&self, bytes: &'b [u8], plain: &Plain) -> Option<Explored<'b>> {
        (!is_media(bytes, plain.hint)).then(|| explore(bytes, plain.hint, &self.policy.paths, None))
    }

    /// Explains what each text of a body holds, findings and near misses, without the text. Slow: for people
    /// who look after rules. What stands behind escapes within a text is not looked at.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn explain(&self, body: &CapturedBody) -> Result<Vec<BodyExplanation>, RedactError> {
        let policy = &self.policy;
        let plain = Plain::of(body, policy)?;
        let bytes = plain.bytes(body);
        let Some(explored) = self.explored(bytes, &plain) else { return Ok(Vec::new()) };
        let reading = &explored.reading;
        let mut scanner = self.pool.lend();
        let mut all = Vec::new();
        for node in reading.texts() {
            let options = ScanOptions {
                min_score: policy.min_score,
                entities: policy.entities.as_deref(),
                field: reading.field(node),
            };
            for explanation in scanner.scanner.explain(reading.text(node), &options) {
                let spans = reading.lift(node, explanation.span.range());
                let spans: Vec<Span> = spans
                    .into_iter()
                    .map(|r| plain.in_body(bytes, Span { start: r.start, end: r.end }))
                    .collect();
                if !spans.is_empty() {
                    all.push(BodyExplanation { explanation, spans });
                }
            }
        }
        all.sort_by_key(|one| (one.spans[0], one.explanation.rule));
        Ok(all)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("rules", &self.digest())
            .field("policy", &self.policy)
            .finish()
    }
}

/// A place in a body where a rule matched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BodyFinding {
    /// The rule, in the redactor's rule set.
    pub rule: RuleIndex,
    /// How sure, from 0 to 1.
    pub score: f32,
    /// Where, in bytes of the body.
    pub span: Span,
}

/// Why something in a body was found, or was not.
#[derive(Debug, Clone, PartialEq)]
pub struct BodyExplanation {
    /// Within its text: its span and its distances are bytes of that, escapes undone.
    pub explanation: Explanation,
    /// Where it lies in the body, in bytes; several if a stream cut it into pieces.
    pub spans: Vec<Span>,
}

/// Redacts the bodies of one exchange, the request first.
pub struct ExchangeRedactor {
    pub(crate) redactor: Redactor,
    paths: Paths,
    pub(crate) scanner: Lent,
    pub(crate) pseudonyms: Pseudonyms,
    memo: Memo,
}

impl fmt::Debug for ExchangeRedactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeRedactor")
            .field("redactor", &self.redactor)
            .field("known_values", &self.pseudonyms.known_count())
            .finish_non_exhaustive()
    }
}

/// Redacting changes what stands beside a value, so the result is read again, and usually found
/// clean. A body still not clean after this many times was made to be so.
pub(crate) const MAX_PASSES: usize = 8;

impl ExchangeRedactor {
    /// Takes the personal data and secrets out of a body.
    ///
    /// The result is in identity encoding and of the format the body had: JSON stays JSON with the
    /// same keys and types, a stream stays a stream. Redacting it again changes nothing.
    ///
    /// Takes time in proportion to the body's length, and memory of a few times that.
    ///
    /// # Errors
    ///
    /// If the encoding cannot be undone, the body is too large, or it never comes out clean. It must
    /// then not be stored.
    pub fn redact(&mut self, body: CapturedBody) -> Result<RedactedBody, RedactError> {
        let policy = Arc::clone(&self.redactor.policy);
        let plain = Plain::of(&body, &policy)?;
        let bytes = plain.bytes(&body);
        let mut report = Report {
            rule_set: self.redactor.digest().to_owned(),
            decoded_from: body.content_encoding().filter(|_| plain.undone).map(str::to_owned),
            truncated: plain.truncated,
            ..Report::default()
        };
        let content_type = body.content_type().map(str::to_owned);
        if is_media(bytes, plain.hint) {
            let kept = attached(&policy, bytes, body.content_type(), &mut report);
            return Ok(RedactedBody::new(plain.restore(kept), content_type, report));
        }
        let mut current: Option<Zeroizing<Vec<u8>>> = None;
        // What has not changed since it was read holds what it held then: nothing.
        let mut changed: Option<Vec<Range<usize>>> = None;
        let mut shape = None;
        for pass in 0..MAX_PASSES {
            let text = current.as_deref().map_or(bytes, Vec::as_slice);
            let explored = explore(text, plain.hint, &self.paths, Some(&self.scanner.names));
            if pass == 0 {
                report.format = explored.format;
                report.fell_back = explored.fell_back || explored.loses_tail;
                report.truncated |= explored.truncated;
            }
            // Unless it is read in another way now, because what stood before it is gone.
            if shape.replace(explored.shape()) != Some(explored.shape()) {
                changed = None;
            }
            match self.pass(&explored, pass == 0, changed.as_deref(), &mut report) {
                Some(next) => {
                    current = Some(Zeroizing::new(next.body));
                    changed = next.places;
                    if !next.settled {
                        continue;
                    }
                }
                None => {}
            }
            let mut redacted = current.unwrap_or_else(|| Zeroizing::new(bytes.to_vec()));
            // Text that was taken out may leave too little of it: what would be an
            // attachment the next time, or a text of another kind, is an attachment now.
            let other = plain.text.is_none() && plain.is_utf16(&redacted, &body);
            let redacted = if other || is_media(&redacted, plain.hint) {
                attached(&policy, &redacted, body.content_type(), &mut report)
            } else {
                std::mem::take(&mut *redacted)
            };
            return Ok(RedactedBody::new(plain.restore(redacted), content_type, report));
        }
        Err(RedactError::new(RedactErrorKind::Unsettled))
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> &Policy {
        self.redactor.policy()
    }

    /// Reads the next units of a stream.
    pub(crate) fn explore_units<'b>(
        &self,
        body: &'b [u8],
        units: Units,
        ends: &[usize],
        carried: Carried,
    ) -> Explored<'b> {
        explore_units(body, units, ends, &self.paths, Some(&self.scanner.names), carried)
    }

    /// What the rules find and the policy does not keep.
    pub(crate) fn find(
        &mut self,
        explored: &Explored<'_>,
        changed: Option<&[Range<usize>]>,
    ) -> Hits {
        let mut hits = Hits::default();
        hits.scan(explored, &mut self.scanner, &self.redactor.policy, changed, &mut self.memo);
        hits.drop_kept(self.redactor.rules(), &self.redactor.policy);
        hits
    }

    /// Adds what repeats values that were found before.
    pub(crate) fn echo(
        &mut self,
        explored: &Explored<'_>,
        hits: &mut Hits,
        changed: Option<&[Range<usize>]>,
    ) {
        hits.echo(explored, &mut self.pseudonyms, changed);
    }

    /// One reading of a body, perhaps the first, or of what has changed in it: `None` if there was nothing to
    /// do.
    fn pass(
        &mut self,
        explored: &Explored<'_>,
        first: bool,
        changed: Option<&[Range<usize>]>,
        report: &mut Report,
    ) -> Option<Changed> {
        let reading = &explored.reading;
        let mut hits = self.find(explored, changed);
        let known = self.pseudonyms.known_count();
        for hit in &hits.found {
            self.pseudonyms.learn(hit.rule, hit.value(reading));
        }
        // What is newly known may stand anywhere.
        let echoed = if self.pseudonyms.known_count() == known { changed } else { None };
        self.echo(explored, &mut hits, echoed);
        // Names decide what other texts are read as: keys and labels are context, and identities of streams
        // say which deltas belong together.
        let renamed = hits.found.iter().any(|hit| match reading.field(hit.node) {
            None => explored.format != Format::Text,
            Some(field) => matches!(field, "key" | "name") || is_identity(field.as_bytes(), true),
        });
        let placed = hits.placed(reading, false);
        let by_text = self.edits(explored, placed, reading.body().len(), first, report);
        let settled = !renamed && self.settles(explored, &by_text);
        let own: Vec<NodeId> = by_text.keys().copied().collect();
        let edits = reading.edits_of_body(by_text);
        let settled = settled && !Self::reaches_others(explored, &own, &edits);
        (!edits.is_empty() || explored.loses_tail).then(|| {
            let (body, places) = match explored.format {
                Format::EventStream => (event_stream::rebuild(reading.body(), &edits), None),
                Format::Otlp => (otlp::rebuild(reading.body(), &edits), None),
                _ => (apply(reading.body(), &edits), (!renamed).then(|| written(&edits))),
            };
            Changed { body, places, settled }
        })
    }

    /// What is to be done to the texts of a body for what was found in them, and for what is no text, up to an offset.
    /// Learns the values and counts them.
    pub(crate) fn edits(
        &mut self,
        explored: &Explored<'_>,
        placed: Vec<(Hit, Vec<Range<usize>>)>,
        until: usize,
        first: bool,
        report: &mut Report,
    ) -> BTreeMap<NodeId, Vec<Edit>> {
        let policy = Arc::clone(&self.redactor.policy);
        let reading = &explored.reading;
        let mut edits: BTreeMap<NodeId, Vec<Edit>> = BTreeMap::new();
        let nodes: Vec<NodeId> = placed.iter().map(|(hit, _)| hit.node).collect();
        let paths = explored.paths_of(&nodes);
        for (hit, _) in placed {
            let rule = self.redactor.rules().rule(hit.rule);
            let value = hit.value(reading);
            let edit = if reading.node(hit.node).kind == Kind::Number {
                // A number stays a number; zero is the one that says nothing.
                Edit { range: 0..reading.text(hit.node).len(), with: b"0".to_vec() }
            } else {
                let entity = rule.entity();
                let with = match policy.operator_for(rule) {
                    Operator::Replace => placeholder(&mut self.pseudonyms, entity, value),
                    Operator::Hash => {
                        let digest = policy.hash_key.digest(entity.as_str(), &canonical(value));
                        format!("<{entity}:{digest}>").into_bytes()
                    }
                    Operator::Tokenize => {
                        policy.token_key.seal(entity.as_str(), value).into_bytes()
                    }
                    Operator::Surrogate => {
                        let kept = surrogate::of(entity.as_str(), value, &policy.hash_key);
                        kept.unwrap_or_else(|| placeholder(&mut self.pseudonyms, entity, value))
                    }
                    Operator::Mask => mask(value),
                    Operator::Remove => Vec::new(),
                    Operator::Keep => continue,
                };
                // What stands for a value may be found as one again.
                if with == value {
                    continue;
                }
                Edit { range: hit.span.clone(), with }
            };
            report.count(rule, paths.get(&hit.node).map_or("", String::as_str));
            self.pseudonyms.learn(hit.rule, value);
            edits.entry(hit.node).or_default().push(edit);
        }
        for (node, aside) in &explored.aside {
            let text = reading.text(*node);
            if reading.lift(*node, aside.range()).iter().any(|range| range.end > until) {
                continue;
            }
            if let Some(edit) = set_aside(&policy, aside, text, first, report) {
                edits.entry(*node).or_default().push(edit);
            }
        }
        edits
    }
}

/// A body after one reading.
struct Changed {
    body: Vec<u8>,
    /// Where it is new; `None` if everything is to be read again.
    places: Option<Vec<Range<usize>>>,
    /// Whether nothing would be found in it.
    settled: bool,
}

fn placeholder(names: &mut Pseudonyms, entity: &EntityType, value: &[u8]) -> Vec<u8> {
    format!("<{entity}_{}>", names.number(entity, value)).into_bytes()
}

/// A body with its encodings undone.
struct Plain {
    /// Without `content-encoding`, where there was one.
    decoded: Option<Zeroizing<Vec<u8>>>,
    /// Whether there was a `content-encoding`.
    undone: bool,
    /// Whether it is the only message of a gRPC body.
    framed: bool,
    /// The last byte of UTF-16 that broke off within a character.
    odd: Option<u8>,
    /// In UTF-8, where it was in UTF-16.
    text: Option<(Utf16, Zeroizing<Vec<u8>>)>,
    hint: Option<Format>,
    truncated: bool,
}

impl Plain {
    fn of(body: &CapturedBody, policy: &Policy) -> Result<Self, RedactError> {
        let limit = policy.limit();
        let decoded = encoding::undo(body.bytes(), body.content_encoding(), limit)?;
        let mut truncated = decoded.as_ref().is_some_and(|decoded| decoded.truncated);
        let mut decoded = decoded.map(|decoded| decoded.bytes);
        let undone = decoded.is_some();
        let bytes = decoded.as_deref().map_or(body.bytes(), Vec::as_slice);
        let content_type = body.content_type();
        let mut hint = policy.format.or_else(|| Format::of(content_type));
        let mut framed = false;
        if let Some(message) = grpc::only_message(bytes, content_type) {
            decoded = Some(Zeroizing::new(message.to_vec()));
            framed = true;
        } else if let Some(message) = grpc::only_compressed(bytes, content_type)
            // Of what else it may be compressed by nothing here tells.
            && let Ok(Some(message)) = encoding::undo(message, Some("gzip"), limit)
        {
            truncated |= message.truncated;
            decoded = Some(message.bytes);
            framed = true;
        }
        if framed {
            hint = Some(Format::Otlp);
        }
        let bytes = decoded.as_deref().map_or(body.bytes(), Vec::as_slice);
        let text = utf16(bytes, content_type, hint);
        let odd = bytes.last().copied().filter(|_| bytes.len() % 2 == 1);
        Ok(Self { decoded, undone, framed, odd, text, hint, truncated })
    }

    fn is_utf16(&self, bytes: &[u8], body: &CapturedBody) -> bool {
        utf16(bytes, body.content_type(), self.hint).is_some()
    }

    fn bytes<'a>(&'a self, body: &'a CapturedBody) -> &'a [u8] {
        match (&self.text, &self.decoded) {
            (Some((_, text)), _) => text,
            (None, Some(decoded)) => decoded,
            (None, None) => body.bytes(),
        }
    }

    /// A redacted text as the body was written.
    fn restore(&self, text: Vec<u8>) -> Vec<u8> {
        if self.framed {
            return grpc::framed(&Zeroizing::new(text));
        }
        let Some((utf16, _)) = &self.text else { return text };
        let mut text = utf16.encode(&Zeroizing::new(text));
        // Half of a character that broke off.
        text.extend(self.odd);
        text
    }

    /// Where a span of the text lies in the body.
    fn in_body(&self, text: &[u8], span: Span) -> Span {
        match &self.text {
            Some((utf16, _)) => {
                Span { start: utf16.offset(text, span.start), end: utf16.offset(text, span.end) }
            }
            // Behind what stands before a message.
            None if self.framed => {
                Span { start: span.start + grpc::PREFIX, end: span.end + grpc::PREFIX }
            }
            None => span,
        }
    }
}

/// A text that is written in UTF-16, in UTF-8.
fn utf16(
    bytes: &[u8],
    content_type: Option<&str>,
    hint: Option<Format>,
) -> Option<(Utf16, Zeroizing<Vec<u8>>)> {
    utf16::detect(bytes, content_type)
        .filter(|_| hint != Some(Format::Otlp))
        .map(|utf16| (utf16, utf16.decode(bytes)))
        .filter(|(_, text)| !attachment::is_binary(text))
}

/// What becomes of something that is no text; `None` if it stays.
fn set_aside(
    policy: &Policy,
    aside: &Aside,
    text: &[u8],
    first: bool,
    report: &mut Report,
) -> Option<Edit> {
    match aside {
        Aside::Attachment(attachment) => {
            let dropped = |report: &mut Report| {
                report.attachments_dropped += 1;
                let with = description(policy, &attachment.media_type, &attachment.decoded);
                Some(Edit { range: attachment.range.clone(), with })
            };
            match policy.attachments {
                Attachments::Drop => dropped(report),
                Attachments::Keep => {
                    report.attachments_kept += u64::from(first);
                    None
                }
                Attachments::KeepStripped => match media::strip(&attachment.decoded) {
                    None => dropped(report),
                    Some(stripped) => {
                        report.attachments_stripped += u64::from(first);
                        (stripped != *attachment.decoded).then(|| Edit {
                            range: attachment.payload.clone(),
                            with: attachment
                                .base64
                                .map_or(stripped.clone(), |s| s.encode(&stripped)),
                        })
                    }
                },
            }
        }
        Aside::Vector { range, what, count, base64 } => {
            (policy.vectors == Vectors::Remove).then(|| {
                report.vectors_removed += 1;
                Edit { range: range.clone(), with: what.marker(*count, *base64) }
            })
        }
        Aside::Opaque { range } => (policy.opaque == Opaque::Drop).then(|| {
            report.opaque_dropped += 1;
            let value = &text[range.clone()];
            let digest = policy.hash_key.digest("opaque", value);
            let with = format!("<OPAQUE {} bytes {digest}>", value.len()).into_bytes();
            Edit { range: range.clone(), with }
        }),
        Aside::Forced { range, number } => {
            let with: &[u8] = if *number { b"0" } else { b"<REDACTED>" };
            (text[range.clone()] != *with).then(|| {
                report.forced += 1;
                Edit { range: range.clone(), with: with.to_vec() }
            })
        }
    }
}

/// What becomes of a body that is not text.
fn attached(
    policy: &Policy,
    bytes: &[u8],
    content_type: Option<&str>,
    report: &mut Report,
) -> Vec<u8> {
    report.format = Format::Binary;
    let kept = match policy.attachments {
        Attachments::Keep => {
            report.attachments_kept = 1;
            Some(bytes.to_vec())
        }
        Attachments::KeepStripped => {
            let stripped = media::strip(bytes);
            report.attachments_stripped = u64::from(stripped.is_some());
            stripped
        }
        Attachments::Drop => None,
    };
    kept.unwrap_or_else(|| {
        report.attachments_dropped = 1;
        let media_type =
            attachment::sniff(bytes).or(content_type).unwrap_or("application/octet-stream");
        description(policy, media_type, bytes)
    })
}

/// Whether a body is not text and no format that holds text. What says that it is protobuf and is none of ours may
/// look like text, but its lengths would not survive an edit.
fn is_media(body: &[u8], hint: Option<Format>) -> bool {
    if hint == Some(Format::Otlp) {
        return otlp::fields(body).is_none() && !is_description(body);
    }
    let is_json =
        || std::str::from_utf8(body).is_ok() && json::lex(body, &mut Ignore) == Lexed::Whole;
    attachment::is_binary(body)
        && !is_json()
        && !event_stream::looks_like(body)
        && !multipart::looks_like(body)
        && !otlp::looks_like(body)
}

/// Whether a body is what stands for one that was no text.
fn is_description(body: &[u8]) -> bool {
    body.starts_with(b"<ATTACHMENT ") && memchr::memchr(b'>', body) == Some(body.len() - 1)
}

/// What stands for an attachment.
fn description(policy: &Policy, media_type: &str, bytes: &[u8]) -> Vec<u8> {
    let media_type: String = media_type
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "/+-.".contains(*c))
        .take(64)
        .collect();
    let digest = policy.hash_key.digest("attachment", bytes);
    format!("<ATTACHMENT {media_type} {} bytes {digest}>", bytes.len()).into_bytes()
}
