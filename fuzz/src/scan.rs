//! Looks at JSON as text: the names and values of an object as they are spelled. It checks nothing: only text that
//! serde_json has accepted may be given to it.

/// What a JSON object looks like.
#[derive(Debug)]
pub(crate) struct Scanned<'a> {
    /// Name and text of each member of the outermost object, in the order of the text.
    pub(crate) members: Vec<(String, &'a str)>,
    /// How many arrays and objects stand in each other at the deepest place, the outermost object included.
    pub(crate) depth: usize,
    /// Whether any object in it has a member name twice, in whatever spelling.
    pub(crate) has_duplicates: bool,
}

/// Scans an object.
pub(crate) fn object(text: &str) -> Scanned<'_> {
    let mut scanned = Scanned { members: Vec::new(), depth: 0, has_duplicates: false };
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut name: Option<(String, usize)> = None;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let end = if *byte == b'"' { string_end(text, at) } else { at + 1 };
        match byte {
            b'{' | b'[' => {
                open.push(Vec::new());
                scanned.depth = scanned.depth.max(open.len());
            }
            // Behind a string a colon stands only if the string is a name.
            b'"' if text[end..].trim_ascii_start().starts_with(':') => {
                let names = open.last_mut().unwrap();
                let unescaped: String = serde_json::from_str(&text[at..end]).unwrap();
                scanned.has_duplicates |= names.contains(&unescaped);
                names.push(unescaped.clone());
                if open.len() == 1 {
                    let colon = end + text[end..].find(':').unwrap();
                    name = Some((unescaped, colon + 1));
                }
            }
            b',' | b'}' if open.len() == 1 => {
                let finished = name.take().map(|(name, start)| (name, text[start..at].trim_ascii()));
                scanned.members.extend(finished);
                open.truncate(open.len() - usize::from(*byte == b'}'));
            }
            b'}' | b']' => drop(open.pop()),
            _ => {}
        }
        at = end;
    }
    scanned
}

/// Where the string that begins at `start` ends: behind its closing quote.
pub(crate) fn string_end(text: &str, start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match text.as_bytes()[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_is_spelled() {
        let text = r#" { "a\"" : "}:\\" , "b":[{"c":[ ]} , 1e3],"":-0 } "#;
        serde_json::from_str::<serde_json::Value>(text).unwrap();
        let scanned = object(text);
        let members: Vec<_> = scanned.members.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(members, [("a\"", r#""}:\\""#), ("b", r#"[{"c":[ ]} , 1e3]"#), ("", "-0")]);
        assert_eq!((scanned.depth, scanned.has_duplicates), (4, false));

        let has_duplicates = |text| object(text).has_duplicates;
        assert!(has_duplicates(r#"{"a":1,"\u0061":2}"#));
        assert!(has_duplicates(r#"{"x":[{"a":1,"b":{},"a":2}]}"#));
        assert!(!has_duplicates(r#"{"a":{"a":["a","a"]},"b":{"a":1}}"#));
        assert!(!has_duplicates("{}"));
    }
}
