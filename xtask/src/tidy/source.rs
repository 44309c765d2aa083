//! Reads Rust text as far as the rules need it: words, paths, strings and comments, each with its
//! line and whether it is test code. It is a lexer, not a compiler: macros are not expanded.

/// One word, number or punctuation character of code. Comments and strings are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Counted from 1.
    pub line: usize,
    pub text: String,
    pub kind: Kind,
    /// Inside an item marked `#[cfg(test)]`.
    pub test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Number,
    Punct,
}

/// A piece of text with its line: a comment or the inside of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub line: usize,
    pub text: String,
    pub test: bool,
}

/// A path as it is named in code or by a `use`, written out: `use a::{b, c::d}` gives two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
    pub test: bool,
}

/// A Rust file taken apart.
#[derive(Debug, Default)]
pub struct Source {
    pub tokens: Vec<Token>,
    pub comments: Vec<Excerpt>,
    pub strings: Vec<Excerpt>,
    pub paths: Vec<Path>,
}

impl Source {
    /// Takes `text` apart. Never fails: what it cannot read it takes for punctuation.
    pub fn read(text: &str) -> Source {
        let mut source = Lexer::new(text).run();
        let ranges = test_lines(&source.tokens);
        let in_test = |line: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&line));
        source.tokens.iter_mut().for_each(|t| t.test = in_test(t.line));
        source.comments.iter_mut().for_each(|t| t.test = in_test(t.line));
        source.strings.iter_mut().for_each(|t| t.test = in_test(t.line));
        source.paths = paths(&source.tokens);
        source
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Source,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Lexer {
    fn new(text: &str) -> Lexer {
        Lexer { chars: text.chars().collect(), at: 0, line: 1, out: Source::default() }
    }

    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let c = self.peek(0);
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        c
    }

    fn token(&mut self, line: usize, text: String, kind: Kind) {
        self.out.tokens.push(Token { line, text, kind, test: false });
    }

    fn run(mut self) -> Source {
        while self.at < self.chars.len() {
            let (c, line) = (self.peek(0), self.line);
            match c {
                '/' if self.peek(1) == '/' => self.line_comment(),
                '/' if self.peek(1) == '*' => self.block_comment(),
                '"' => self.string(),
                '\'' => self.quote(),
                _ if self.raw_string_hashes().is_some() => self.raw_string(),
                'b' | 'c' if self.peek(1) == '"' => {
                    self.next();
                    self.string();
                }
                'b' if self.peek(1) == '\'' => {
                    self.next();
                    self.quote();
                }
                _ if c.is_ascii_digit() => self.number(),
                _ if is_word(c) => {
                    let mut word = String::new();
                    while is_word(self.peek(0)) {
                        word.push(self.next());
                    }
                    self.token(line, word, Kind::Word);
                }
                _ if c.is_whitespace() => {
                    self.next();
                }
                _ => {
                    self.next();
                    self.token(line, c.to_string(), Kind::Punct);
                }
            }
        }
        self.out
    }

    fn line_comment(&mut self) {
        let line = self.line;
        let mut text = String::new();
        while self.at < self.chars.len() && self.peek(0) != '\n' {
            text.push(self.next());
        }
        self.out.comments.push(Excerpt { line, text, test: false });
    }

    /// Block comments nest; each line of one becomes a comment of its own.
    fn block_comment(&mut self) {
        let (mut depth, mut line, mut text) = (0, self.line, String::new());
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                ('\n', _) => {
                    self.next();
                    self.out.comments.push(Excerpt { line, text: std::mem::take(&mut text), test: false });
                    line = self.line;
                    continue;
                }
                _ => {
                    text.push(self.next());
                    continue;
                }
            }
            text.extend([self.next(), self.next()]);
            if depth == 0 {
                break;
            }
        }
        self.out.comments.push(Excerpt { line, text, test: false });
    }

    fn string(&mut self) {
        let line = self.line;
        let mut text = String::new();
        self.next();
        while self.at < self.chars.len() {
            match self.next() {
                '"' => break,
                '\\' => {
                    self.next(); // what is escaped matters to no rule, except that it is no quote
                    text.push(' ');
                }
                c => text.push(c),
            }
        }
        self.out.strings.push(Excerpt { line, text, test: false });
    }

    /// How many hashes follow, if a raw string (`r"`, `br#"`, `cr##"` …) begins here.
    fn raw_string_hashes(&self) -> Option<(usize, usize)> {
        let start = match (self.peek(0), self.peek(1)) {
            ('r', _) => 1,
            ('b' | 'c', 'r') => 2,
            _ => return None,
        };
        let mut hashes = 0;
        while self.peek(start + hashes) == '#' {
            hashes += 1;
        }
        (self.peek(start + hashes) == '"').then_some((start, hashes))
    }

    fn raw_string(&mut self) {
        let (start, hashes) = self.raw_string_hashes().expect("asked before");
        let line = self.line;
        self.at += start + hashes + 1;
        let mut text = String::new();
        while self.at < self.chars.len() {
            if self.peek(0) == '"' && (0..hashes).all(|h| self.peek(1 + h) == '#') {
                self.at += 1 + hashes;
                break;
            }
            text.push(self.next());
        }
        self.out.strings.push(Excerpt { line, text, test: false });
    }

    /// A character literal is skipped; a lifetime is punctuation and a word.
    fn quote(&mut self) {
        let line = self.line;
        self.next();
        if self.peek(0) == '\\' {
            self.next();
            self.next();
            while self.at < self.chars.len() && self.next() != '\'' {}
        } else if self.peek(1) == '\'' {
            self.next();
            self.next();
        } else {
            self.token(line, "'".to_owned(), Kind::Punct);
        }
    }

    /// `1_000u64`, `0xff`, `1.5e3`; in `0..9` and `pair.0.1` the points are not part of the number.
    fn number(&mut self) {
        let line = self.line;
        let after_point = self.out.tokens.last().is_some_and(|t| t.text == ".");
        let mut text = String::new();
        loop {
            let c = self.peek(0);
            let fraction = c == '.' && self.peek(1).is_ascii_digit() && !text.contains('.') && !after_point;
            if !is_word(c) && !fraction {
                break;
            }
            text.push(self.next());
        }
        self.token(line, text, Kind::Number);
    }
}

/// The first and last line of every item marked `#[cfg(test)]`.
fn test_lines(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut ranges = Vec::new();
    let mut i = 0;
    while i + mark.len() <= tokens.len() {
        if !mark.iter().zip(&tokens[i..]).all(|(m, t)| *m == t.text) {
            i += 1;
            continue;
        }
        let mut end = i + mark.len();
        let mut depth = 0;
        // To the `;` of an item without a body, or to the brace that closes its body.
        while end < tokens.len() {
            match tokens[end].text.as_str() {
                "{" => depth += 1,
                "}" if depth <= 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        let last = tokens.get(end).or(tokens.last()).map_or(0, |t| t.line);
        ranges.push((tokens[i].line, last));
        i = end;
    }
    ranges
}

fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i].kind != Kind::Word {
            i += 1;
        } else if tokens[i].text == "use" {
            i = use_tree(tokens, i + 1, &[], &mut found).max(i + 1);
        } else {
            let (segments, next) = segments(tokens, i);
            found.push(Path { line: tokens[i].line, segments, test: tokens[i].test });
            i = next;
        }
    }
    found
}

fn is_text(tokens: &[Token], i: usize, text: &str) -> bool {
    tokens.get(i).is_some_and(|t| t.text == text)
}

/// Whether `::` stands at `i`.
fn is_colons(tokens: &[Token], i: usize) -> bool {
    is_text(tokens, i, ":") && is_text(tokens, i + 1, ":")
}

/// `a::b::c` beginning at the word `i`, and where it ends.
fn segments(tokens: &[Token], mut i: usize) -> (Vec<String>, usize) {
    let mut segments = vec![tokens[i].text.clone()];
    i += 1;
    while is_colons(tokens, i) && tokens.get(i + 2).is_some_and(|t| t.kind == Kind::Word) {
        segments.push(tokens[i + 2].text.clone());
        i += 3;
    }
    (segments, i)
}

/// Writes out the tree of a `use` that begins at `i`; answers where it ends.
fn use_tree(tokens: &[Token], mut i: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    if is_colons(tokens, i) {
        i += 2; // `use ::name`
    }
    let mut path = prefix.to_vec();
    let Some(first) = tokens.get(i) else { return i };
    let (line, test) = (first.line, first.test);
    if first.kind == Kind::Word {
        let (more, next) = segments(tokens, i);
        path.extend(more);
        i = next;
        if is_colons(tokens, i) {
            i += 2;
        }
    }
    if is_text(tokens, i, "{") {
        i += 1;
        while i < tokens.len() && !is_text(tokens, i, "}") {
            let next = use_tree(tokens, i, &path, found);
            i = if is_text(tokens, next, ",") { next + 1 } else { next.max(i + 1) };
        }
        return i + 1;
    }
    if is_text(tokens, i, "*") {
        i += 1;
    } else if is_text(tokens, i, "as") {
        i += 2;
    }
    found.push(Path { line, segments: path, test });
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let tokens = Source::read(text).tokens;
        tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_is_told_from_comments_and_strings() {
        for (text, expected) in [
            ("let a = 1; // sqlx", "let a = 1 ;"),
            ("a /* x /* y */ z */ b", "a b"),
            (r#"f("axum \" sqlx", b"x", c"y")"#, "f ( , , )"),
            ("r#\"a \"quoted\" b\"# + br\"c\" + r#type", "+ + r # type"),
            (r"'a' '\'' '\u{41}' b'\n' &'a str", "& ' a str"),
            ("0..9 pair.0.1 1.5 1e9 0xE0 2.max(3)", "0 . . 9 pair . 0 . 1 1.5 1e9 0xE0 2 . max ( 3 )"),
            ("\"unfinished", ""),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        let source = Source::read("let s = \"a\nb\"; // one\n/* two\nthree */ x");
        assert_eq!(source.strings, [Excerpt { line: 1, text: "a\nb".to_owned(), test: false }]);
        let comments: Vec<_> = source.comments.iter().map(|c| (c.line, c.text.trim())).collect();
        assert_eq!(comments, [(2, "// one"), (3, "/* two"), (4, "three */")]);
        assert_eq!(source.tokens.last().map(|t| t.line), Some(4));
    }

    #[test]
    fn paths_are_written_out() {
        for (text, expected) in [
            ("a::b::c(d)", "a::b::c d"),
            ("use a::b;", "a::b"),
            ("use a::{b, c::{self, d as e}, f::*};", "a::b a::c::self a::c::d a::f"),
            ("use ::axum::Router;", "axum::Router"),
            ("pub(crate) use crate::{trade, wallet::store};", "pub crate crate::trade crate::wallet::store"),
            ("Vec::<u8>::new()", "Vec u8 new"),
        ] {
            let paths = Source::read(text).paths;
            let joined: Vec<_> = paths.iter().map(|p| p.segments.join("::")).collect();
            assert_eq!(joined.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn test_items_are_marked() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        let marked: Vec<_> =
            Source::read(text).tokens.into_iter().filter(|t| t.test).map(|t| t.line).collect();
        assert_eq!((marked.first(), marked.last()), (Some(&2), Some(&8)));
        let plain: Vec<_> =
            Source::read(text).tokens.into_iter().filter(|t| !t.test).map(|t| t.line).collect();
        assert!(plain.contains(&1) && plain.contains(&6) && plain.contains(&9) && !plain.contains(&4));
    }
}
