//! The findings as text for people and as JSON for programs.

use serde_json::json;

use super::finding::{Finding, Mark};

/// Whether `serve` has all that it needs.
pub(super) fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.mark != Mark::Missing)
}

/// Sections of aligned lines, advice below what it is about, and a verdict.
pub(super) fn text(findings: &[Finding]) -> String {
    let width = findings
        .iter()
        .map(|finding| finding.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    let mut section = "";
    for finding in findings {
        if finding.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = finding.section;
            text.push_str(&format!("{gap}{section}\n"));
        }
        let Finding { name, found, .. } = finding;
        text.push_str(&format!(
            "  {:<7}  {name:<width$}  {}\n",
            finding.mark.word(),
            on_lines(found, width)
        ));
        if let Some(advice) = &finding.advice {
            text.push_str(&format!("  {:<7}  {:<width$}  -> {advice}\n", "", ""));
        }
    }
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let verdict = match (count(Mark::Missing), count(Mark::Warn)) {
        (0, 0) => "All well: `warpflight serve` has what it needs.".to_owned(),
        (0, warnings) => format!("`warpflight serve` has what it needs; {warnings} to look at."),
        (missing, _) => format!("{missing} missing: see the lines marked so."),
    };
    text.push_str(&format!("\n{verdict}\n"));
    text
}

/// Further lines of what was found stand below its first.
fn on_lines(found: &str, width: usize) -> String {
    let indent = format!("\n{:1$}", "", width + 13);
    found.trim_end().split('\n').collect::<Vec<_>>().join(&indent)
}

/// One object: `well`, and `findings` with section, name, mark, found and advice (or null).
pub(super) fn json(findings: &[Finding]) -> String {
    let objects: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "section": finding.section,
                "name": finding.name,
                "mark": finding.mark.word(),
                "found": finding.found,
                "advice": finding.advice,
            })
        })
        .collect();
    format!(
        "{:#}\n",
        json!({ "well": is_well(findings), "findings": objects })
    )
}
