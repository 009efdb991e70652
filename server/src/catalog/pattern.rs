//! Wildcards in paths: `*` and `?` within a segment, `[a-z]` and `[!a-z]` for one character, `**`
//! for any number of segments.
//!
//! In: a pattern and a path, both relative. Out: whether they fit. It does not know files.

/// Whether `path` fits `pattern`, segment by segment.
pub fn fits(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').filter(|segment| !segment.is_empty()).collect();
    let path: Vec<&str> = path.split('/').collect();
    segments_fit(&pattern, &path)
}

/// A file in the middle of a pattern that ends in a folder: whether the first segments fit.
pub fn fits_folder(pattern: &str, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    let pattern: Vec<&str> = pattern.split('/').filter(|segment| !segment.is_empty()).collect();
    (1..segments.len()).any(|count| segments_fit(&pattern, &segments[..count]))
}

fn segments_fit(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|skipped| segments_fit(rest, &path[skipped..])),
        Some((first, rest)) => path.split_first().is_some_and(|(segment, tail)| {
            let (first, segment): (Vec<char>, Vec<char>) =
                (first.chars().collect(), segment.chars().collect());
            segment_fits(&first, &segment) && segments_fit(rest, tail)
        }),
    }
}

/// One segment, by the usual walk with one point of return: the last `*`.
fn segment_fits(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => match class(&pattern[at..], text[position]) {
                Some((true, width)) => Some(width),
                Some((false, _)) => None,
                None => (text[position] == '[').then_some(1),
            },
            Some(literal) if *literal == text[position] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(width), _) => {
                at += width;
                position += 1;
            }
            (None, Some((from, taken))) => {
                star = Some((from, taken + 1));
                at = from + 1;
                position = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// Whether a character is in the class at the start of `pattern`, and how long the class is; `None`
/// if its bracket is never closed.
fn class(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let start = if negated { 2 } else { 1 };
    // A closing bracket in the first place is a member.
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|c| *c == ']')?;
    let members = &pattern[start..end];
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            found |= (members[at]..=members[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= members[at] == c;
            at += 1;
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_paths() {
        for (pattern, path, expected) in [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.csv", false),
            ("*.parquet", "b/a.parquet", false),
            ("**/*.parquet", "a.parquet", true),
            ("**/*.parquet", "b/c/a.parquet", true),
            ("year=*/x.parquet", "year=2024/x.parquet", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.csv", "é.csv", true),
            ("?.csv", ".csv", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("*", "", true),
            ("a/**", "a/b/c", true),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
        assert!(fits_folder("2024*", "2024-01/x.parquet"));
        assert!(!fits_folder("2024*", "2024-01"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = "a".repeat(200);
        assert!(!fits(&("*a".repeat(60) + "b"), &text));
    }
}
