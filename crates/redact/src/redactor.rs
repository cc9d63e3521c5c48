//! The redactor: reads a body, finds, replaces, and reads the result again until nothing is found.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use oubliette_detect::{Finding, RuleIndex, RuleSet, ScanOptions, Scanner, Span};
use zeroize::Zeroizing;

use crate::attachment::{self, Attachment};
use crate::body::{CapturedBody, RedactedBody};
use crate::edit::Edit;
use crate::encoding;
use crate::error::{RedactError, RedactErrorKind};
use crate::explore::{Explored, explore};
use crate::json;
use crate::operator::{Operator, mask};
use crate::policy::{Attachments, Policy};
use crate::pseudonyms::{Pseudonyms, canonical};
use crate::reading::{Kind, NodeId, Reading};
use crate::report::{Format, Report};

/// A rule set and a policy, ready to redact. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Redactor {
    rules: RuleSet,
    policy: Arc<Policy>,
}

impl Redactor {
    /// Puts a rule set and a policy together.
    #[must_use]
    pub fn new(rules: RuleSet, policy: Policy) -> Self {
        Self { rules, policy: Arc::new(policy) }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Begins an exchange: its bodies share the numbers of their placeholders.
    #[must_use]
    pub fn exchange(&self) -> ExchangeRedactor {
        ExchangeRedactor {
            redactor: self.clone(),
            scanner: Scanner::new(&self.rules),
            pseudonyms: Pseudonyms::default(),
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
        let decoded = encoding::undo(body.bytes(), body.content_encoding(), policy.max_bytes)?;
        let bytes = decoded.as_deref().map_or(body.bytes(), Vec::as_slice);
        if attachment::is_binary(bytes) {
            return Ok(Vec::new());
        }
        let explored = explore(bytes, policy.format.or_else(|| format_of(body.content_type())));
        let mut hits = Hits::default();
        hits.scan(&explored, &mut Scanner::new(&self.rules), policy);
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
        Ok(findings)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("rules", &self.rules.digest().to_string())
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

/// Redacts the bodies of one exchange, the request first.
pub struct ExchangeRedactor {
    redactor: Redactor,
    scanner: Scanner,
    pseudonyms: Pseudonyms,
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
const MAX_PASSES: usize = 8;

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
        let decoded = encoding::undo(body.bytes(), body.content_encoding(), policy.max_bytes)?;
        let bytes = decoded.as_deref().map_or(body.bytes(), Vec::as_slice);
        let mut report = Report {
            rule_set: self.redactor.rules.digest().to_string(),
            decoded_from: decoded
                .is_some()
                .then(|| body.content_encoding().map(str::to_owned))
                .flatten(),
            ..Report::default()
        };
        let content_type = body.content_type().map(str::to_owned);
        if attachment::is_binary(bytes) {
            report.format = Format::Binary;
            let kept = match policy.attachments {
                Attachments::Keep => bytes.to_vec(),
                Attachments::Drop => {
                    report.attachments_dropped = 1;
                    let media_type = attachment::sniff(bytes)
                        .or(body.content_type())
                        .unwrap_or("application/octet-stream");
                    description(&policy, media_type, bytes)
                }
            };
            return Ok(RedactedBody::new(kept, content_type, report));
        }
        let hint = policy.format.or_else(|| format_of(body.content_type()));
        let mut current: Option<Zeroizing<Vec<u8>>> = None;
        for pass in 0..MAX_PASSES {
            let text = current.as_deref().map_or(bytes, Vec::as_slice);
            let explored = explore(text, hint);
            if pass == 0 {
                report.format = explored.format;
                report.fell_back = explored.fell_back;
            }
            match self.pass(&explored, &mut report) {
                Some(redacted) => current = Some(Zeroizing::new(redacted)),
                None => {
                    let mut redacted = current.unwrap_or_else(|| Zeroizing::new(bytes.to_vec()));
                    let redacted = std::mem::take(&mut *redacted);
                    return Ok(RedactedBody::new(redacted, content_type, report));
                }
            }
        }
        Err(RedactError::new(RedactErrorKind::Unsettled))
    }

    /// One reading of a body: `None` if there was nothing to do.
    fn pass(&mut self, explored: &Explored<'_>, report: &mut Report) -> Option<Vec<u8>> {
        let policy = Arc::clone(&self.redactor.policy);
        let reading = &explored.reading;
        let mut hits = Hits::default();
        hits.scan(explored, &mut self.scanner, &policy);
        hits.drop_kept(&self.redactor.rules, &policy);
        for hit in &hits.found {
            self.pseudonyms.learn(hit.rule, hit.value(reading));
        }
        hits.echo(reading, &self.pseudonyms);
        let mut edits: Vec<Vec<Edit>> = (0..reading.len()).map(|_| Vec::new()).collect();
        let placed = hits.placed(reading, false);
        let mut changed = !placed.is_empty();
        for (hit, _) in placed {
            let rule = self.redactor.rules.rule(hit.rule);
            *report.findings.entry(rule.id().to_owned()).or_default() += 1;
            *report.entities.entry(rule.entity().as_str().to_owned()).or_default() += 1;
            let value = hit.value(reading);
            let edit = if reading.node(hit.node).kind == Kind::Number {
                // A number stays a number; zero is the one that says nothing.
                Edit { range: 0..reading.text(hit.node).len(), with: b"0".to_vec() }
            } else {
                let entity = rule.entity();
                let with = match policy.operator_for(rule) {
                    Operator::Replace => {
                        format!("<{entity}_{}>", self.pseudonyms.number(entity, value)).into_bytes()
                    }
                    Operator::Hash => {
                        let digest = policy.hash_key.digest(entity.as_str(), &canonical(value));
                        format!("<{entity}:{digest}>").into_bytes()
                    }
                    Operator::Mask => mask(value),
                    Operator::Remove => Vec::new(),
                    Operator::Keep => continue,
                };
                Edit { range: hit.span.clone(), with }
            };
            edits[hit.node].push(edit);
        }
        if policy.attachments == Attachments::Drop {
            for (node, attachment) in &explored.attachments {
                report.attachments_dropped += 1;
                changed = true;
                let with = description(&policy, &attachment.media_type, &attachment.decoded);
                edits[*node].push(Edit { range: attachment.range.clone(), with });
            }
        }
        changed.then(|| reading.rewrite(edits))
    }
}

/// One finding in one text of a reading.
struct Hit {
    node: NodeId,
    span: Range<usize>,
    rule: RuleIndex,
    score: f32,
    /// The value, where it is not just the text at the span.
    value: Option<Zeroizing<Vec<u8>>>,
}

impl Hit {
    fn value<'a>(&'a self, reading: &'a Reading<'_>) -> &'a [u8] {
        match &self.value {
            Some(value) => value,
            None => &reading.text(self.node)[self.span.clone()],
        }
    }
}

#[derive(Default)]
struct Hits {
    found: Vec<Hit>,
}

/// Text inside text is unescaped this often: a log line may quote a body that quotes a tool call.
const MAX_UNESCAPES: usize = 3;

impl Hits {
    fn scan(&mut self, explored: &Explored<'_>, scanner: &mut Scanner, policy: &Policy) {
        let reading = &explored.reading;
        let mut findings = Vec::new();
        for node in 0..reading.len() {
            if reading.node(node).kind == Kind::Container {
                continue;
            }
            let options = ScanOptions {
                min_score: policy.min_score,
                entities: policy.entities.as_deref(),
                field: reading.field(node),
            };
            let text = reading.text(node);
            scanner.scan_into(text, &options, &mut findings);
            self.found.extend(findings.drain(..).map(|finding| Hit::of(node, &finding)));
            self.scan_unescaped(node, text, scanner, &options);
        }
        // What stands in an attachment is part of it, and no more prose than the rest.
        let mut attachments: BTreeMap<NodeId, Vec<&Attachment>> = BTreeMap::new();
        for (node, attachment) in &explored.attachments {
            attachments.entry(*node).or_default().push(attachment);
        }
        self.found.retain(|hit| {
            !attachments.get(&hit.node).is_some_and(|found| {
                found.iter().any(|a| a.range.start < hit.span.end && hit.span.start < a.range.end)
            })
        });
    }

    /// JSON quoted in prose, or broken JSON, hides values behind escapes: `\u0040` for `@`, or the
    /// `n` of `\n` before a number. So text with escapes is scanned both ways.
    fn scan_unescaped(
        &mut self,
        node: NodeId,
        text: &[u8],
        scanner: &mut Scanner,
        options: &ScanOptions<'_>,
    ) {
        let mut maps = Vec::new();
        let mut current = Zeroizing::new(text.to_vec());
        while maps.len() < MAX_UNESCAPES && memchr::memchr(b'\\', &current).is_some() {
            let decoded = json::decode(&current);
            if decoded.text.len() == current.len() {
                break;
            }
            maps.push(decoded.map);
            current = Zeroizing::new(decoded.text.into_owned());
            for finding in scanner.scan(&current, options) {
                let back = |offset| maps.iter().rev().fold(offset, |at, map| map.raw(at));
                let span = back(finding.span.start)..back(finding.span.end);
                let value = Zeroizing::new(current[finding.span.range()].to_vec());
                self.found.push(Hit { span, value: Some(value), ..Hit::of(node, &finding) });
            }
        }
    }

    fn drop_kept(&mut self, rules: &RuleSet, policy: &Policy) {
        self.found.retain(|hit| policy.operator_for(rules.rule(hit.rule)) != Operator::Keep);
    }

    /// Adds the places where a value that some rule has found stands again, without the context
    /// that gave it away: in a citation, an error message, a URL, the other body.
    fn echo(&mut self, reading: &Reading<'_>, pseudonyms: &Pseudonyms) {
        let (values, rules): (Vec<&[u8]>, Vec<RuleIndex>) = pseudonyms.known().unzip();
        if values.is_empty() {
            return;
        }
        // An automaton too large to build would need values of gigabytes; bodies are bounded.
        let Ok(automaton) =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&values)
        else {
            return;
        };
        for node in 0..reading.len() {
            if reading.node(node).kind == Kind::Container {
                continue;
            }
            let text = reading.text(node);
            for found in automaton.find_iter(text) {
                let span = found.range();
                if stands_alone(text, &span) {
                    let rule = rules[found.pattern().as_usize()];
                    self.found.push(Hit { node, span, rule, score: 1.0, value: None });
                }
            }
        }
    }

    /// Every hit with its places in the body, in the order in which they stand there. Of hits that
    /// cover the same places only the first is left; if `all`, only of those of the same rule.
    fn placed(self, reading: &Reading<'_>, all: bool) -> Vec<(Hit, Vec<Range<usize>>)> {
        let mut placed: Vec<_> = self
            .found
            .into_iter()
            .map(|hit| {
                let ranges = reading.lift(hit.node, hit.span.clone());
                (hit, ranges)
            })
            .filter(|(_, ranges)| !ranges.is_empty())
            .collect();
        let key = |ranges: &[Range<usize>]| {
            (ranges[0].start, std::cmp::Reverse(ranges[ranges.len() - 1].end))
        };
        placed.sort_by(|(a, at), (b, bt)| {
            key(at).cmp(&key(bt)).then(b.score.total_cmp(&a.score)).then(a.rule.cmp(&b.rule))
        });
        // Streams interleave, so hits that reach past a range do not all follow each other.
        let mut kept: Vec<(Hit, Vec<Range<usize>>)> = Vec::with_capacity(placed.len());
        for (hit, ranges) in placed {
            let repeats =
                kept.iter().rev().take(REACH).any(|(other, places)| {
                    (!all || other.rule == hit.rule) && covers(places, &ranges)
                });
            if !repeats {
                kept.push((hit, ranges));
            }
        }
        kept
    }
}

/// How far back a repeated hit is looked for. Missing one costs nothing but a count too many: edits
/// that overlap are merged.
const REACH: usize = 16;

impl Hit {
    fn of(node: NodeId, finding: &Finding) -> Self {
        Self {
            node,
            span: finding.span.range(),
            rule: finding.rule,
            score: finding.score,
            value: None,
        }
    }
}

fn covers(outer: &[Range<usize>], inner: &[Range<usize>]) -> bool {
    inner.iter().all(|i| outer.iter().any(|o| o.start <= i.start && i.end <= o.end))
}

/// Whether a stretch of text is not part of a longer word or number.
fn stands_alone(text: &[u8], span: &Range<usize>) -> bool {
    let joins = |a: Option<&u8>, b: Option<&u8>| matches!((a, b), (Some(a), Some(b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric());
    let before = span.start.checked_sub(1).and_then(|at| text.get(at));
    !joins(before, text.get(span.start)) && !joins(text.get(span.end - 1), text.get(span.end))
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

/// The format a content type names.
fn format_of(content_type: Option<&str>) -> Option<Format> {
    let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
    let (_, subtype) = essence.split_once('/')?;
    Some(match subtype {
        "event-stream" => Format::Sse,
        "x-ndjson" | "ndjson" | "jsonl" | "x-jsonlines" | "jsonlines" => Format::Ndjson,
        "json" => Format::Json,
        _ if subtype.ends_with("+json") => Format::Json,
        // "text/plain" is what servers say that do not know better: go by the looks.
        _ => return None,
    })
}
