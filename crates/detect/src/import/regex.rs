//! Regular expressions of other engines, in our syntax.
//!
//! A pattern is read into a tree just deep enough to see groups, alternatives and look-around. What is written
//! differently is rewritten; look-around that only asks about a neighbour becomes an assertion about words, a
//! `boundary`, or a wider pattern with a `value` group; what cannot be said exactly is refused, with a reason.

/// Whose regular expressions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Go's `regexp`, which is RE2's syntax.
    Go,
    /// Python's `re` and `regex`.
    Python,
}

/// A pattern in our syntax.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The rule's `boundary`.
    pub(super) boundary: Option<&'static str>,
    /// Whether `\w`, classes and case have to be read as Unicode.
    pub(super) unicode: bool,
    /// What was changed, in a few words each.
    pub(super) changes: Vec<&'static str>,
}

/// Which part of a match is the finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// All of it.
    Whole,
    /// A capturing group, counted from 1.
    Group(u32),
    /// The first capturing group if it takes part in every match.
    FirstGroup,
}

/// Translates a pattern. Alternatives that look around become patterns of their own.
pub(super) fn translate(
    pattern: &str,
    flavour: Flavour,
    value: Value,
) -> Result<Vec<Translated>, &'static str> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err("the pattern is longer than 64 KiB");
    }
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at: 0,
        flavour,
        groups: 0,
        depth: 0,
        uses_word: false,
        beyond_ascii: false,
        changes: Vec::new(),
    };
    let mut alternatives = parser.alternatives()?;
    if parser.at < parser.chars.len() {
        return Err("a closing parenthesis without an opening one");
    }
    let unicode = parser.beyond_ascii || (flavour == Flavour::Python && parser.uses_word);
    let group = match value {
        Value::Whole => None,
        Value::Group(0) => None,
        Value::Group(number) if number > parser.groups => {
            return Err("the group that holds the secret does not exist");
        }
        Value::Group(number) => Some(number),
        Value::FirstGroup => first_group(&alternatives),
    };
    // A group around everything is in the way of seeing what it begins and ends with.
    while group.is_none()
        && let Some(inner) = only_group(&alternatives)
    {
        alternatives = inner;
    }
    assert_words(&mut alternatives);
    let looks = alternatives.iter().flatten().any(Node::looks);
    let mut out = Vec::new();
    if looks && alternatives.len() > 1 && group.is_none() {
        for alternative in alternatives {
            out.push(finish(vec![alternative], None, &parser.changes, unicode)?);
        }
    } else {
        out.push(finish(alternatives, group, &parser.changes, unicode)?);
    }
    Ok(out)
}

/// Longer patterns are refused by any limits on rules.
const MAX_PATTERN_BYTES: usize = 64 << 10;
const MAX_DEPTH: usize = 60;

/// A part of a sequence.
#[derive(Debug, Clone)]
enum Node {
    /// An atom in our syntax, and its quantifier.
    Atom(String, String),
    Group {
        open: String,
        number: Option<u32>,
        alternatives: Vec<Vec<Node>>,
        quantifier: String,
    },
    Look {
        behind: bool,
        negative: bool,
        alternatives: Vec<Vec<Node>>,
    },
}

impl Node {
    fn looks(&self) -> bool {
        match self {
            Self::Atom(..) => false,
            Self::Look { .. } => true,
            Self::Group { alternatives, .. } => alternatives.iter().flatten().any(Self::looks),
        }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    flavour: Flavour,
    groups: u32,
    depth: usize,
    uses_word: bool,
    beyond_ascii: bool,
    changes: Vec<&'static str>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn takes(&mut self, text: &str) -> bool {
        let stands = self.chars[self.at..].iter().copied().take(text.len()).eq(text.chars());
        self.at += if stands { text.len() } else { 0 };
        stands
    }

    fn changed(&mut self, what: &'static str) {
        if !self.changes.contains(&what) {
            self.changes.push(what);
        }
    }

    fn alternatives(&mut self) -> Result<Vec<Vec<Node>>, &'static str> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("groups nest too deep");
        }
        let mut all = vec![Vec::new()];
        while let Some(c) = self.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.at += 1;
                    all.push(Vec::new());
                }
                _ => {
                    let nodes = self.part()?;
                    all.last_mut().expect("never empty").extend(nodes);
                }
            }
        }
        self.depth -= 1;
        Ok(all)
    }

    /// One atom or group with its quantifier; nothing for a comment.
    fn part(&mut self) -> Result<Vec<Node>, &'static str> {
        match self.next().ok_or("incomplete")? {
            '(' => self.group(),
            '[' => {
                let class = self.class()?;
                self.atom(class)
            }
            '\\' => self.escape(),
            '{' => self.atom("\\{".to_owned()),
            '}' => self.atom("\\}".to_owned()),
            ']' => self.atom("\\]".to_owned()),
            '*' | '+' | '?' => Err("a quantifier with nothing before it"),
            c => {
                self.beyond_ascii |= !c.is_ascii();
                self.atom(c.to_string())
            }
        }
    }

    fn atom(&mut self, text: String) -> Result<Vec<Node>, &'static str> {
        let quantifier = self.quantifier()?;
        Ok(vec![Node::Atom(text, quantifier)])
    }

    fn quantifier(&mut self) -> Result<String, &'static str> {
        let mut text = match self.peek() {
            Some(c @ ('*' | '+' | '?')) => {
                self.at += 1;
                c.to_string()
            }
            Some('{') => match self.counted() {
                Some(text) => text,
                None => return Ok(String::new()), // a brace that means itself
            },
            _ => return Ok(String::new()),
        };
        match self.peek() {
            Some('?') => {
                self.at += 1;
                text.push('?');
            }
            Some('+') if self.flavour == Flavour::Python => {
                self.at += 1;
                self.changed("a possessive quantifier was made a plain one: it may match more");
            }
            _ => {}
        }
        match self.peek() {
            Some('*' | '+' | '?') => Err("two quantifiers in a row"),
            _ => Ok(text),
        }
    }

    /// `{2}`, `{2,}`, `{2,3}`, `{,3}`.
    fn counted(&mut self) -> Option<String> {
        let end = self.chars[self.at..].iter().take(16).position(|&c| c == '}')? + self.at;
        let inside: String = self.chars[self.at + 1..end].iter().collect();
        let number = |text: &str| text.parse::<u32>().is_ok();
        let text = match inside.split_once(',') {
            None if number(&inside) => format!("{{{inside}}}"),
            Some((least, "")) if number(least) => format!("{{{least},}}"),
            Some(("", most)) if number(most) && self.flavour == Flavour::Python => {
                format!("{{0,{most}}}")
            }
            Some((least, most)) if number(least) && number(most) => format!("{{{inside}}}"),
            _ => return None,
        };
        self.at = end + 1;
        Some(text)
    }

    fn group(&mut self) -> Result<Vec<Node>, &'static str> {
        let mut number = None;
        let mut open = "(?:".to_owned();
        if !self.takes("?") {
            self.groups += 1;
            number = Some(self.groups);
        } else if self.takes("#") {
            while self.next().ok_or("an open comment")? != ')' {}
            return Ok(Vec::new());
        } else if self.takes("P=") || self.takes("(") || self.takes("&") || self.takes("R") {
            return Err("it refers back to a group, which linear-time patterns cannot");
        } else if self.takes("P<") || self.next_is_name() {
            while self.next().ok_or("an open group name")? != '>' {}
            self.groups += 1;
            number = Some(self.groups);
        } else if self.takes("<=") {
            return self.look(true, false);
        } else if self.takes("<!") {
            return self.look(true, true);
        } else if self.takes("=") {
            return self.look(false, false);
        } else if self.takes("!") {
            return self.look(false, true);
        } else if self.takes(">") {
            self.changed("an atomic group was made a plain one: it may match more");
        } else {
            let mut flags = String::new();
            loop {
                match self.next().ok_or("an open group")? {
                    ':' => {
                        open = format!("(?{flags}:");
                        break;
                    }
                    // Flags to the end of the group that we stand in.
                    ')' if flags.is_empty() || flags == "-" => return Ok(Vec::new()),
                    ')' => return Ok(vec![Node::Atom(format!("(?{flags})"), String::new())]),
                    c @ ('i' | 'm' | 's' | '-') => flags.push(c),
                    'U' if self.flavour == Flavour::Go => flags.push('U'),
                    'a' | 'u' | 'L' if self.flavour == Flavour::Python => {}
                    'x' => return Err("the verbose flag `x` is not read"),
                    _ => return Err("an unknown kind of group"),
                }
            }
        }
        let alternatives = self.alternatives()?;
        if self.next() != Some(')') {
            return Err("an open group");
        }
        let quantifier = self.quantifier()?;
        Ok(vec![Node::Group { open, number, alternatives, quantifier }])
    }

    /// `(?<name>` but not `(?<=` or `(?<!`.
    fn next_is_name(&mut self) -> bool {
        let named = self.peek() == Some('<')
            && self.chars.get(self.at + 1).is_some_and(|c| !matches!(c, '=' | '!'));
        self.at += usize::from(named);
        named
    }

    fn look(&mut self, behind: bool, negative: bool) -> Result<Vec<Node>, &'static str> {
        let alternatives = self.alternatives()?;
        if self.next() != Some(')') {
            return Err("an open group");
        }
        if !self.quantifier()?.is_empty() {
            return Err("a look-around with a quantifier");
        }
        Ok(vec![Node::Look { behind, negative, alternatives }])
    }

    fn escape(&mut self) -> Result<Vec<Node>, &'static str> {
        let c = self.next().ok_or("a backslash at the end")?;
        let go = self.flavour == Flavour::Go;
        let text = match c {
            'd' => "[0-9]".to_owned(),
            'D' => "[^0-9]".to_owned(),
            'w' | 'W' => {
                self.uses_word = true;
                format!("\\{c}")
            }
            's' | 'S' => format!("\\{c}"),
            // Where we stand is never told by Unicode.
            'b' | 'B' => return Ok(vec![Node::Atom(format!("(?-u:\\{c})"), String::new())]),
            'A' => return Ok(vec![Node::Atom("\\A".to_owned(), String::new())]),
            'z' if go => return Ok(vec![Node::Atom("\\z".to_owned(), String::new())]),
            'Z' if !go => return Ok(vec![Node::Atom("\\z".to_owned(), String::new())]),
            'Q' if go => return self.quoted(),
            'C' if go => return Err("`\\C` is not supported"),
            'p' | 'P' => {
                self.beyond_ascii = true;
                self.property(c)?
            }
            '1'..='9' => {
                return Err("it refers back to a group, which linear-time patterns cannot");
            }
            _ => self.character(c)?,
        };
        self.atom(text)
    }

    /// `\pL` or `\p{Greek}`.
    fn property(&mut self, c: char) -> Result<String, &'static str> {
        if self.peek() != Some('{') {
            return Ok(format!("\\{c}{}", self.next().ok_or("an open property")?));
        }
        let mut text = format!("\\{c}");
        loop {
            let next = self.next().ok_or("an open property")?;
            text.push(next);
            if next == '}' {
                return Ok(text);
            }
        }
    }

    /// An escape that stands for one character, within a class or outside.
    fn character(&mut self, c: char) -> Result<String, &'static str> {
        Ok(match c {
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => format!("\\{c}"),
            'x' | 'u' | 'U' => {
                let length = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits: String = if self.takes("{") {
                    let end = self.chars[self.at..].iter().position(|&c| c == '}');
                    let end = end.ok_or("an open escape")? + self.at;
                    let digits = self.chars[self.at..end].iter().collect();
                    self.at = end + 1;
                    digits
                } else {
                    let digits = self.chars[self.at..].iter().take(length).collect();
                    self.at = (self.at + length).min(self.chars.len());
                    digits
                };
                let code = u32::from_str_radix(&digits, 16).map_err(|_| "not a hex escape")?;
                let character = char::from_u32(code).ok_or("not a character")?;
                self.beyond_ascii |= !character.is_ascii();
                format!("\\x{{{digits}}}")
            }
            '0' => "\\x00".to_owned(),
            '<' | '>' => c.to_string(), // escaped, these would be word boundaries
            c if c.is_ascii_alphanumeric() => return Err("an escape that we do not have"),
            c if c.is_ascii() => format!("\\{c}"),
            c => {
                self.beyond_ascii = true;
                c.to_string()
            }
        })
    }

    /// `\Q…\E`.
    fn quoted(&mut self) -> Result<Vec<Node>, &'static str> {
        let mut nodes = Vec::new();
        while !self.takes("\\E") {
            let Some(c) = self.next() else { break };
            self.beyond_ascii |= !c.is_ascii();
            nodes.push(Node::Atom(regex_syntax::escape(&c.to_string()), String::new()));
        }
        let quantifier = self.quantifier()?;
        if let Some(Node::Atom(_, last)) = nodes.last_mut() {
            *last = quantifier;
        }
        Ok(nodes)
    }

    fn class(&mut self) -> Result<String, &'static str> {
        let mut text = "[".to_owned();
        if self.takes("^") {
            text.push('^');
        }
        let mut first = true;
        loop {
            let c = self.next().ok_or("an open class")?;
            match c {
                ']' if first => text.push_str("\\]"),
                ']' => {
                    text.push(']');
                    return Ok(text);
                }
                '[' if self.peek() == Some(':') && self.flavour == Flavour::Go => {
                    let end = self.chars[self.at..].iter().take(16).position(|&c| c == ']');
                    let end = end.ok_or("an open class")? + self.at;
                    text.push('[');
                    text.extend(&self.chars[self.at..=end]);
                    self.at = end + 1;
                }
                // Two of them would be an operation on sets; a class in a class means one, too.
                '[' | '&' | '~' => {
                    text.push('\\');
                    text.push(c);
                }
                '-' if self.peek() == Some('-') => text.push_str("\\-"),
                '\\' => match self.next().ok_or("a backslash at the end")? {
                    'd' => text.push_str("0-9"),
                    'w' | 'W' if self.flavour == Flavour::Python => {
                        self.uses_word = true;
                        text.push('\\');
                        text.push(self.chars[self.at - 1]);
                    }
                    c @ ('D' | 'w' | 'W' | 's' | 'S') => {
                        text.push('\\');
                        text.push(c);
                    }
                    'b' => text.push_str("\\x08"),
                    c @ ('p' | 'P') => {
                        self.beyond_ascii = true;
                        let property = self.property(c)?;
                        text.push_str(&property);
                    }
                    '1'..='7' => return Err("an octal escape"),
                    c => {
                        let character = self.character(c)?;
                        text.push_str(&character);
                    }
                },
                c => {
                    self.beyond_ascii |= !c.is_ascii();
                    text.push(c);
                }
            }
            first = false;
        }
    }
}

/// The first capturing group, if nothing that may be skipped stands around it.
fn first_group(alternatives: &[Vec<Node>]) -> Option<u32> {
    let [sequence] = alternatives else { return None };
    for node in sequence {
        if let Node::Group { number, alternatives, quantifier, .. } = node {
            let once = quantifier.is_empty();
            match number {
                Some(number) => return once.then_some(*number),
                None if once => {
                    if let Some(number) = first_group(alternatives) {
                        return Some(number);
                    }
                }
                None => {}
            }
            if holds_group(alternatives) {
                return None;
            }
        }
    }
    None
}

fn holds_group(alternatives: &[Vec<Node>]) -> bool {
    alternatives.iter().flatten().any(|node| match node {
        Node::Group { number, alternatives, .. } => number.is_some() || holds_group(alternatives),
        _ => false,
    })
}

/// What is inside the one group that everything is in.
fn only_group(alternatives: &[Vec<Node>]) -> Option<Vec<Vec<Node>>> {
    match alternatives {
        [sequence] => match &sequence[..] {
            [Node::Group { open, alternatives, quantifier, .. }]
                if quantifier.is_empty() && open == "(?:" =>
            {
                Some(alternatives.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a look-around at one end became.
#[derive(Debug, PartialEq)]
enum Edge {
    /// Nothing is asked.
    None,
    /// No digit.
    Digit,
    /// This is matched, too, but is not part of the finding.
    Consumed(String),
}

fn finish(
    mut alternatives: Vec<Vec<Node>>,
    group: Option<u32>,
    changes: &[&'static str],
    unicode: bool,
) -> Result<Translated, &'static str> {
    let mut changes = changes.to_vec();
    let (mut before, mut after) = (Edge::None, Edge::None);
    if let [sequence] = &mut alternatives[..] {
        // Only inside the outermost sequence is an end the end of the match.
        let flags = sequence.iter().take_while(|node| is_flags(node)).count();
        let mut start = flags;
        while let Some(Node::Look { behind: true, negative, alternatives }) = sequence.get(start) {
            before = join(before, edge(*negative, alternatives, true)?, true)?;
            start += 1;
        }
        let mut end = sequence.len();
        while end > start
            && let Some(Node::Look { behind: false, negative, alternatives }) =
                sequence.get(end - 1)
        {
            after = join(edge(*negative, alternatives, false)?, after, false)?;
            end -= 1;
        }
        sequence.drain(end..);
        sequence.drain(flags..start);
    }
    if let Some(reason) = alternatives.iter().flatten().find_map(left_over) {
        return Err(reason);
    }
    let mut boundary = None;
    let digit_boundary = before == Edge::Digit
        && after == Edge::Digit
        && matches!(&alternatives[..], [sequence] if sequence.last().is_some_and(ends_in_digits));
    if digit_boundary {
        (before, after) = (Edge::None, Edge::None);
        boundary = Some("digit");
        changes.push("look-around for digits became `boundary`");
    }
    let spell = |edge: Edge, ahead: bool| match (edge, ahead) {
        (Edge::None, _) => String::new(),
        (Edge::Digit, false) => "(?:\\A|[^0-9])".to_owned(),
        (Edge::Digit, true) => "(?:[^0-9]|\\z)".to_owned(),
        (Edge::Consumed(text), _) => text,
    };
    let (before, after) = (spell(before, false), spell(after, true));
    let pattern = if before.is_empty() && after.is_empty() {
        render(&alternatives, group)
    } else {
        changes.push("look-around became a wider pattern with a `value` group");
        // Flags that hold to the end must come first.
        let mut flags = String::new();
        for sequence in &mut alternatives {
            while sequence.first().is_some_and(is_flags) {
                if let Node::Atom(text, _) = sequence.remove(0) {
                    flags.push_str(&text);
                }
            }
        }
        let inner = render(&alternatives, group);
        match group {
            Some(_) => format!("{flags}{before}(?:{inner}){after}"),
            None => format!("{flags}{before}(?P<value>{inner}){after}"),
        }
    };
    // Without Unicode there is no other kind of word.
    let pattern = match unicode {
        true => pattern,
        false => ["\\b", "\\B", "\\b{start-half}", "\\b{end-half}"]
            .iter()
            .fold(pattern, |text, look| text.replace(&format!("(?-u:{look})"), look)),
    };
    Ok(Translated { pattern, boundary, unicode, changes })
}

/// Look-around that asks about the neighbouring word character, wherever it stands, can be said exactly.
fn assert_words(alternatives: &mut [Vec<Node>]) {
    for node in alternatives.iter_mut().flatten() {
        match node {
            Node::Look { behind, negative, alternatives } => {
                let none_there = match neighbour(alternatives) {
                    Some((set, edge)) => {
                        (set == "\\w" && !edge && *negative) || (set == "\\W" && edge && !*negative)
                    }
                    None => false,
                };
                if none_there {
                    let name = if *behind { "start" } else { "end" };
                    *node = Node::Atom(format!("(?-u:\\b{{{name}-half}})"), String::new());
                }
            }
            Node::Group { alternatives, quantifier, .. } => {
                assert_words(alternatives);
                // `(?:^|(?<=\W))`, as deny lists are often wrapped.
                let half = |sequence: &Vec<Node>| match &sequence[..] {
                    [Node::Look { behind, negative: false, alternatives }] => {
                        neighbour(alternatives)
                            .is_some_and(|(set, _)| set == "\\W")
                            .then_some(*behind)
                    }
                    _ => None,
                };
                let anchor = |sequence: &Vec<Node>| matches!(&sequence[..], [Node::Atom(text, _)] if text == "^" || text == "$");
                if let [one, other] = &alternatives[..]
                    && quantifier.is_empty()
                {
                    let found = match (anchor(one), anchor(other)) {
                        (true, false) => half(other),
                        (false, true) => half(one),
                        _ => None,
                    };
                    if let Some(behind) = found {
                        let name = if behind { "start" } else { "end" };
                        *node = Node::Atom(format!("(?-u:\\b{{{name}-half}})"), String::new());
                    }
                }
            }
            Node::Atom(..) => {}
        }
    }
}

/// What one neighbour is, if that is all that is asked, and whether the text's edge will do as well.
fn neighbour(alternatives: &[Vec<Node>]) -> Option<(String, bool)> {
    let mut set = None;
    let mut edge = false;
    for sequence in alternatives {
        match &sequence[..] {
            [Node::Atom(text, quantifier)]
                if text == "^" || text == "$" || text == "\\z" || text == "\\A" =>
            {
                edge |= quantifier.is_empty();
            }
            [Node::Atom(text, quantifier)] if quantifier.is_empty() && set.is_none() => {
                let text = match text.as_str() {
                    "[\\w]" | "[a-zA-Z0-9_]" | "[A-Za-z0-9_]" | "[0-9A-Za-z_]" | "[0-9a-zA-Z_]" => {
                        "\\w"
                    }
                    "[^\\w]" | "[\\W]" => "\\W",
                    text => text,
                };
                set = Some(text.to_owned());
            }
            _ => return None,
        }
    }
    set.map(|set| (set, edge))
}

/// What a look-around at an end asks for.
fn edge(negative: bool, alternatives: &[Vec<Node>], before: bool) -> Result<Edge, &'static str> {
    if !negative {
        if alternatives.iter().flatten().any(Node::looks) {
            return Err("look-around within look-around");
        }
        return Ok(Edge::Consumed(format!("(?:{})", render(alternatives, None))));
    }
    let (set, edge) = merged(alternatives).ok_or(match before {
        true => "a negative look-behind for more than one character",
        false => "a negative look-ahead for more than one character at the end",
    })?;
    if set == "[0-9]" && !edge {
        return Ok(Edge::Digit);
    }
    let others =
        complement(&set).ok_or("a negative look-around for what is not a set of characters")?;
    Ok(Edge::Consumed(match (edge, before) {
        (true, _) => others,
        (false, true) => format!("(?:\\A|{others})"),
        (false, false) => format!("(?:{others}|\\z)"),
    }))
}

/// Alternatives of one character each, as one set, and whether the text's edge is among them.
fn merged(alternatives: &[Vec<Node>]) -> Option<(String, bool)> {
    let mut sets: Vec<&str> = Vec::new();
    let mut edge = false;
    for sequence in alternatives {
        match &sequence[..] {
            [Node::Atom(text, quantifier)] if quantifier.is_empty() => match text.as_str() {
                "^" | "$" | "\\A" | "\\z" => edge = true,
                text => sets.push(text),
            },
            _ => return None,
        }
    }
    match &sets[..] {
        [] => None,
        [one] => Some(((*one).to_owned(), edge)),
        many => many
            .iter()
            .all(|set| complement(set).is_some())
            .then(|| (format!("[{}]", many.concat()), edge)),
    }
}

/// The set of all other characters.
fn complement(set: &str) -> Option<String> {
    if let Some(inside) = set.strip_prefix("[^") {
        return Some(format!("[{inside}"));
    }
    if let Some(inside) = set.strip_prefix('[') {
        return Some(format!("[^{inside}"));
    }
    let mut chars = set.chars();
    let single = match (chars.next()?, chars.next()) {
        ('.' | '^' | '$' | '(', _) => false,
        ('\\', Some('A' | 'z' | 'b' | 'B')) => false,
        ('\\', Some(_)) => true,
        (_, None) => true,
        _ => false,
    };
    single.then(|| format!("[^{set}]"))
}

/// Two look-arounds at the same end.
fn join(first: Edge, second: Edge, before: bool) -> Result<Edge, &'static str> {
    match (first, second) {
        (Edge::None, edge) | (edge, Edge::None) => Ok(edge),
        (Edge::Digit, Edge::Digit) => Ok(Edge::Digit),
        _ if before => Err("several look-behinds in a row"),
        _ => Err("several look-aheads in a row"),
    }
}

fn is_flags(node: &Node) -> bool {
    matches!(node, Node::Atom(text, _) if text.starts_with("(?") && text.ends_with(')') && !text.contains(':'))
}

/// Whether no match could end earlier before anything but a digit: then checking what follows after the match
/// is the same as asking for it.
fn ends_in_digits(node: &Node) -> bool {
    match node {
        Node::Atom(text, quantifier) => text == "[0-9]" || quantifier.is_empty(),
        Node::Group { alternatives, quantifier, .. } => {
            quantifier.is_empty()
                && alternatives.iter().all(|sequence| sequence.last().is_some_and(ends_in_digits))
                && (alternatives.len() == 1)
        }
        Node::Look { .. } => false,
    }
}

/// Why what is left cannot be said, if anything is.
fn left_over(node: &Node) -> Option<&'static str> {
    match node {
        Node::Atom(..) => None,
        Node::Group { alternatives, .. } => alternatives.iter().flatten().find_map(left_over),
        Node::Look { behind: true, .. } => Some(
            "a look-behind that is not at the start; say with `boundary` or a `value` group what it asks",
        ),
        Node::Look { negative: true, .. } => Some(
            "a negative look-ahead inside the pattern; spell the permitted values out, or use a validator",
        ),
        Node::Look { .. } => Some("a look-ahead that is not at the end"),
    }
}

fn render(alternatives: &[Vec<Node>], group: Option<u32>) -> String {
    let sequences: Vec<String> = alternatives
        .iter()
        .map(|sequence| {
            sequence
                .iter()
                .map(|node| match node {
                    Node::Atom(text, quantifier) => format!("{text}{quantifier}"),
                    Node::Group { open, number, alternatives, quantifier } => {
                        let is_value = group.is_some() && *number == group;
                        let open = if is_value { "(?P<value>" } else { open };
                        format!("{open}{}){quantifier}", render(alternatives, group))
                    }
                    Node::Look { .. } => String::new(), // taken out or refused before
                })
                .collect()
        })
        .collect();
    sequences.join("|")
}

#[cfg(test)]
mod tests {
    use super::Flavour::{Go, Python};
    use super::Value::{FirstGroup, Group, Whole};
    use super::*;

    fn one(pattern: &str, flavour: Flavour, value: Value) -> Translated {
        let mut all = translate(pattern, flavour, value).unwrap();
        assert_eq!(all.len(), 1, "{pattern}");
        all.remove(0)
    }

    #[test]
    fn what_is_written_differently_is_rewritten() {
        let cases = [
            (Go, r"ab\d+", "ab[0-9]+"),
            (Go, r"\bab\b\z", r"\bab\b\z"),
            (Go, r"\Qa.b\E+x", r"a\.b+x"),
            (Go, r"(?i)a(?-i:b)(?U:c)", r"(?i)a(?-i:b)(?U:c)"),
            (Go, r"[[:alpha:][&&-]", r"[[:alpha:]\[\&\&-]"),
            (Go, r"a{2}b{,3}c{x}", r"a{2}b\{,3\}c\{x\}"),
            (Go, r"\pL\p{Greek}", r"\pL\p{Greek}"),
            (Go, r"(?P<name>a)(b)", r"(?:a)(?:b)"),
            (Python, r"a{,3}\Z", r"a{0,3}\z"),
            (Python, r"\<a\>\/", r"<a>\/"),
            (Python, r"[\d\-\]a--]", r"[0-9\-\]a\--]"),
            (Python, r"[]a]", r"[\]a]"),
            (Python, r"a++(?#why)(?>b)", r"a+(?:b)"),
            (Python, r"(?<n>a)\x41\u0041", r"(?:a)\x{41}\x{0041}"),
        ];
        for (flavour, pattern, expected) in cases {
            assert_eq!(one(pattern, flavour, Whole).pattern, expected, "{pattern}");
        }
        assert!(one("é", Go, Whole).unicode && one(r"\w", Python, Whole).unicode);
        assert!(!one(r"\w", Go, Whole).unicode && !one(r"\d", Python, Whole).unicode);
    }

    #[test]
    fn look_around_is_said_another_way_where_that_is_exact() {
        let digit = Some("digit");
        let cases = [
            (r"(?<!\d)\d{5}(?!\d)", "[0-9]{5}", digit),
            (r"(?<![0-9])\d{5}(?![0-9])", "[0-9]{5}", digit),
            (r"((?<!\d)\d{5}(?!\d))", "[0-9]{5}", digit),
            // The end may lie earlier, before something else than a digit: a check afterwards would not do.
            (
                r"(?<!\d)\d{5}(?:-\d{4})?(?!\d)",
                r"(?:\A|[^0-9])(?P<value>[0-9]{5}(?:-[0-9]{4})?)(?:[^0-9]|\z)",
                None,
            ),
            (r"(?<!\w)ab(?!\w)", r"(?-u:\b{start-half})ab(?-u:\b{end-half})", None),
            (r"(?<![\w])ab|c(?![a-zA-Z0-9_])", r"(?-u:\b{start-half})ab|c(?-u:\b{end-half})", None),
            (
                r"(?:^|(?<=\W))(a|b)(?:(?=\W)|$)",
                r"(?-u:\b{start-half})(?:a|b)(?-u:\b{end-half})",
                None,
            ),
            (r"ab(?=\W|$)", r"ab(?-u:\b{end-half})", None),
            (r"(?<=key[:=]\s?)ab", r"(?:key[:=]\s?)(?P<value>ab)", None),
            (r"(?i)(?<=x)ab", r"(?i)(?:x)(?P<value>ab)", None),
            (r"ab(?=,|$)", r"(?P<value>ab)(?:,|$)", None),
            (r"(?<!-)ab", r"(?:\A|[^-])(?P<value>ab)", None),
            (r"(?<!\.)ab", r"(?:\A|[^\.])(?P<value>ab)", None),
            (r"(?<!\S)ab(?!\S)", r"(?:\A|[^\S])(?P<value>ab)(?:[^\S]|\z)", None),
            (r"ab(?!a|[bc])", r"(?P<value>ab)(?:[^a[bc]]|\z)", None),
            (r"(?<![^a])b", r"(?:\A|[a])(?P<value>b)", None),
        ];
        for (pattern, expected, boundary) in cases {
            let translated = one(pattern, Python, Whole);
            assert_eq!(
                (translated.pattern.as_str(), translated.boundary),
                (expected, boundary),
                "{pattern}"
            );
        }
        let two = translate(r"(?<!\d)\d{3}(?!\d)|(?<=x)y", Python, Whole).unwrap();
        assert_eq!(two[0].boundary, digit);
        assert_eq!((two[1].boundary, two[1].pattern.as_str()), (None, "(?:x)(?P<value>y)"));
    }

    #[test]
    fn the_group_of_the_secret_becomes_the_value() {
        let cases = [
            (Group(2), "(a)(b(c))", "(?:a)(?P<value>b(?:c))"),
            (Group(0), "(a)b", "(?:a)b"),
            (FirstGroup, "x(a)(b)", "x(?P<value>a)(?:b)"),
            (FirstGroup, "(?:x(a))b", "(?:x(?P<value>a))b"),
            (FirstGroup, "x(a)?(b)", "x(?:a)?(?:b)"),
            (FirstGroup, "(a)|(b)", "(?:a)|(?:b)"),
            (FirstGroup, "(?:y|x(a))b", "(?:y|x(?:a))b"),
            (FirstGroup, "ab", "ab"),
        ];
        for (value, pattern, expected) in cases {
            assert_eq!(one(pattern, Go, value).pattern, expected, "{pattern}");
        }
        assert!(translate("(a)", Go, Group(2)).is_err());
    }

    #[test]
    fn what_cannot_be_said_is_refused_with_a_reason() {
        let cases = [
            (r"(a)\1", "refers back"),
            (r"(?P<q>')a(?P=q)", "refers back"),
            (r"(?!000)\d{3}", "negative look-ahead inside"),
            (r"a(?=b)c", "not at the end"),
            (r"a(?<=b)c", "not at the start"),
            (r"(?<!ab)c", "more than one character"),
            (r"c(?!ab)", "more than one character"),
            (r"(?<!a)(?<=b)c", "several look-behinds"),
            (r"(?x)a b", "verbose"),
            (r"(a", "an open group"),
            (r"a)", "without an opening"),
            (r"[a", "an open class"),
            (r"*a", "nothing before"),
            (r"a\", "backslash at the end"),
            (r"\N{DASH}", "an escape that we do not have"),
            (r"(?(1)a|b)", "refers back"),
        ];
        for (pattern, reason) in cases {
            let error = translate(pattern, Python, Whole).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
        assert!(translate(&"(".repeat(500), Go, Whole).is_err());
        assert!(translate(&"a".repeat(100_000), Go, Whole).is_err());
    }
}
