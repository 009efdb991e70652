//! Lists of functions and keywords, as DataFusion and its parser register them.

use std::collections::BTreeSet;

use datafusion::execution::context::SessionState;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

/// The words that the parser knows.
pub fn keywords() -> Vec<String> {
    ALL_KEYWORDS.iter().map(|word| (*word).to_owned()).collect()
}

/// Functions of numbers.
pub fn numeric(state: &SessionState) -> Vec<String> {
    scalars(state, &["Math Functions"])
}

/// Functions of texts.
pub fn string(state: &SessionState) -> Vec<String> {
    scalars(
        state,
        &[
            "String Functions",
            "Binary String Functions",
            "Regular Expression Functions",
        ],
    )
}

/// Functions of any value, and of the server.
pub fn system(state: &SessionState) -> Vec<String> {
    scalars(state, &["Conditional Functions", "Other Functions"])
}

/// Functions of dates and times.
pub fn datetime(state: &SessionState) -> Vec<String> {
    scalars(state, &["Time and Date Functions"])
}

/// The scalar functions, aliases included, that DataFusion documents in these sections.
fn scalars(state: &SessionState, sections: &[&str]) -> Vec<String> {
    let registered = state.scalar_functions().iter();
    let names = registered.filter_map(|(name, function)| {
        let section = function.documentation()?.doc_section.label;
        sections.contains(&section).then(|| name.clone())
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
