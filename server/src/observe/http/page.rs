//! The status page as HTML.
//!
//! In: a [`Status`]. Out: a whole page, or the part of it that changes, which the page's script fetches and puts in
//! place. Everything that comes from outside goes through [`Escaped`].

use std::fmt::{self, Display, Write};
use std::time::Duration;

use ring::rand::SecureRandom;

use super::status::{Phase, QueryRow, QueryState, Status};
use crate::error::{Error, Result};
use crate::observe::{machine, units};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Characters of a statement that are shown in the table, and in its tooltip.
const STATEMENT_CHARS: usize = 160;
const TOOLTIP_CHARS: usize = 2000;

/// Names of tables that are shown.
const TABLES_MAX: usize = 200;

/// A number that nobody can guess, for the page's content security policy.
///
/// # Errors
/// `Internal` if the system has no random numbers.
pub(super) fn nonce() -> Result<String> {
    let mut bytes = [0_u8; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The whole page.
pub(super) fn whole(status: &Status, phase: Phase, detail: bool, nonce: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>warpflight</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n\
         <div id=\"content\">\n{}</div>\n\
         <footer><span id=\"live\">static</span> <a href=\"/metrics\">metrics</a> <a href=\"/ready\">ready</a></footer>\n\
         <script nonce=\"{nonce}\">\n{SCRIPT}</script>\n</body>\n</html>\n",
        content(status, phase, detail)
    )
}

/// The part that changes.
pub(super) fn content(status: &Status, phase: Phase, detail: bool) -> String {
    let mut html = String::with_capacity(16 << 10);
    // Writing to a String cannot fail.
    let _ = write_content(&mut html, status, phase, detail);
    html
}

fn write_content(html: &mut String, status: &Status, phase: Phase, detail: bool) -> fmt::Result {
    writeln!(
        html,
        "<header><h1>warpflight</h1><span class=\"badge {0}\">{0}</span><span class=\"about\">{1} · up {2}</span>\
         <code class=\"address\">{3}</code></header>\n<main>",
        phase.word(),
        Escaped(&status.version),
        units::duration(status.uptime),
        Escaped(&status.address),
    )?;
    write_tiles(html, status)?;
    write_memory(html, status)?;
    if detail {
        write_queries(html, &status.queries)?;
        write_tables(html, &status.tables)?;
    } else {
        writeln!(
            html,
            "<p class=\"withheld\">Counts only. Statements, users and tables are shown where the server asks for no \
             password and this page is opened on the server's own machine, at a loopback address.</p>"
        )?;
    }
    writeln!(html, "</main>")
}

fn write_tiles(html: &mut String, status: &Status) -> fmt::Result {
    let totals = &status.totals;
    writeln!(html, "<section class=\"tiles\">")?;
    for (name, value) in [
        ("running", units::count(totals.queries_running as u64)),
        ("queued", units::count(totals.queries_queued as u64)),
        ("sessions", units::count(totals.sessions as u64)),
        ("connections", units::count(totals.connections as u64)),
    ] {
        writeln!(
            html,
            "<div class=\"tile\"><b>{value}</b><span>{name}</span></div>"
        )?;
    }
    let device = Escaped(&status.device);
    writeln!(
        html,
        "<div class=\"tile wide\"><b>{device}</b><span>device</span></div>\n</section>"
    )
}

fn write_memory(html: &mut String, status: &Status) -> fmt::Result {
    let totals = &status.totals;
    writeln!(html, "<section class=\"memory\"><h2>Memory</h2><dl>")?;
    let (used, limit) = (totals.memory_reserved_bytes, totals.memory_limit_bytes);
    // Integers only: a meter of u64::MAX bytes must not show more than all.
    let percent = (u128::from(used) * 100)
        .checked_div(u128::from(limit))
        .unwrap_or(0)
        .min(100);
    writeln!(
        html,
        "<div><dt>operators</dt><dd>{} of {}<meter min=\"0\" max=\"100\" low=\"70\" high=\"90\" optimum=\"0\" \
         value=\"{percent}\">{percent} %</meter></dd></div>",
        units::bytes(used),
        units::bytes(limit),
    )?;
    let resident = machine::resident_bytes().map_or_else(|| "unknown".to_owned(), units::bytes);
    for (name, value) in [
        ("process", resident),
        ("results waiting", units::bytes(totals.result_buffer_bytes)),
        ("spilled to disk", units::bytes(totals.spill_bytes)),
        ("footers cached", totals.footers_cached.to_string()),
        (
            "plans kept",
            format!("{}, used again {} times", totals.plans_kept, totals.plans_reused),
        ),
    ] {
        writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(html, "</dl></section>")
}

fn write_queries(html: &mut String, queries: &[QueryRow]) -> fmt::Result {
    writeln!(html, "<section><h2>Queries</h2>")?;
    if queries.is_empty() {
        return writeln!(html, "<p class=\"none\">None yet.</p></section>");
    }
    writeln!(
        html,
        "<div class=\"scroll\"><table><thead><tr><th>State</th><th>Started</th><th class=\"number\">Took</th>\
         <th class=\"number\">Rows</th><th class=\"number\">Sent</th><th>User</th><th>Statement</th>\
         <th>Id</th></tr></thead><tbody>"
    )?;
    for query in queries {
        write_query(html, query)?;
    }
    writeln!(html, "</tbody></table></div></section>")
}

fn write_query(html: &mut String, query: &QueryRow) -> fmt::Result {
    let state = query.state.word();
    let ms = Duration::from_millis;
    let (statement, tooltip) = (
        shortened(&query.statement, STATEMENT_CHARS),
        clipped(&query.statement, TOOLTIP_CHARS),
    );
    write!(
        html,
        "<tr class=\"{}\"><td><span class=\"badge {state}\">{state}</span></td><td class=\"time\">{} ago</td>\
         <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td>\
         <td class=\"statement\" title=\"{}\"><code>{}</code>",
        match query.state {
            QueryState::Cancelled => "over stopped",
            state if state.is_over() => "over",
            _ => "live",
        },
        units::duration(ms(query.started_ms_ago)),
        units::duration(ms(query.elapsed_ms)),
        units::count(query.rows),
        units::bytes(query.bytes),
        Escaped(&query.user),
        Escaped(&tooltip),
        Escaped(&statement),
    )?;
    if let Some(error) = &query.error {
        write!(
            html,
            "<div class=\"error\">{}</div>",
            Escaped(&shortened(error, 2 * STATEMENT_CHARS))
        )?;
    }
    writeln!(
        html,
        "</td><td class=\"id\"><code>{}</code></td></tr>",
        Escaped(&query.id)
    )
}

fn write_tables(html: &mut String, tables: &[String]) -> fmt::Result {
    writeln!(html, "<section><h2>Tables <small>{}</small></h2>", tables.len())?;
    if tables.is_empty() {
        return writeln!(html, "<p class=\"none\">None are served.</p></section>");
    }
    writeln!(html, "<ul class=\"tables\">")?;
    for table in tables.iter().take(TABLES_MAX) {
        writeln!(html, "<li>{}</li>", Escaped(table))?;
    }
    if tables.len() > TABLES_MAX {
        writeln!(
            html,
            "<li class=\"none\">and {} more</li>",
            tables.len() - TABLES_MAX
        )?;
    }
    writeln!(html, "</ul></section>")
}

/// On one line, spaces joined, at most `chars` characters.
fn shortened(text: &str, chars: usize) -> String {
    // No more of it than can be needed: a statement may be megabytes.
    let words: Vec<&str> = text.split_whitespace().take(chars + 1).collect();
    clipped(&words.join(" "), chars)
}

fn clipped(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text as HTML shows it, within elements and within quoted attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // HTML has no way to show these.
                c if c.is_control() && !matches!(c, '\n' | '\t') => f.write_str("\u{fffd}")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let escaped = Escaped("<b onclick=\"a('x')\"> & \u{0}ü").to_string();
        assert_eq!(
            escaped,
            "&lt;b onclick=&quot;a(&#39;x&#39;)&quot;&gt; &amp; \u{fffd}ü"
        );
    }

    #[test]
    fn statements_are_shortened_by_characters() {
        assert_eq!(shortened("select\n\t 1", 20), "select 1");
        assert_eq!(shortened("ääää", 3), "äää…");
        assert_eq!(shortened("äää", 3), "äää");
        assert_eq!(shortened("", 3), "");
        assert!(shortened(&"select ".repeat(1 << 20), 100).chars().count() == 101);
    }
}
