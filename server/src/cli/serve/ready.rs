//! What a person sees once the server is ready: where it is, and how to ask it.

use std::io::Write;
use std::net::SocketAddr;

use crate::core::Core;
use crate::error::{Error, Result};

/// Where clients connect.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Endpoint {
    /// Its URL: `grpc://127.0.0.1:32010`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "grpc+tls" } else { "grpc" };
        format!("{scheme}://{}", self.address)
    }
}

/// Prints the line that says `ready`, and snippets that work when pasted.
///
/// # Errors
/// `Resources` if standard output takes nothing.
pub fn announce(core: &Core, endpoint: Endpoint, http: Option<SocketAddr>) -> Result<()> {
    let tables = core.catalog.table_names();
    let text = text(&endpoint.url(), &tables, core.users.required(), http, &program());
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::resources(format!("standard output: {error}")))
}

/// How this program was started, if that can be pasted.
fn program() -> String {
    let program = std::env::current_exe().ok();
    let here = std::env::current_dir().ok();
    let relative = program
        .as_ref()
        .zip(here)
        .and_then(|(program, here)| program.strip_prefix(here).ok());
    let shown = relative
        .or(program.as_deref())
        .map(|path| path.display().to_string());
    shown
        .filter(|path| !path.contains(' '))
        .unwrap_or_else(|| "warpflight".into())
}

fn text(url: &str, tables: &[String], login: bool, http: Option<SocketAddr>, program: &str) -> String {
    let query = match tables.iter().find(|name| *name == "nation").or(tables.first()) {
        Some(table) => format!("select * from {table} limit 5"),
        None => "select 1".into(),
    };
    let served = match tables {
        [] => "no tables yet".into(),
        [table] => format!("1 table: {table}"),
        tables if tables.len() <= 8 => format!("{} tables: {}", tables.len(), tables.join(", ")),
        tables => format!("{} tables: {}, ...", tables.len(), tables[..8].join(", ")),
    };
    let (adbc_login, pyarrow_login, sql_login) = match login {
        true => (
            r#", db_kwargs={"username": "USER", "password": "PASSWORD"}"#,
            r#"o = f.FlightCallOptions(headers=[c.authenticate_basic_token("USER", "PASSWORD")]); "#,
            " --user USER",
        ),
        false => ("", "o = None; ", ""),
    };
    let status = http
        .map(|address| format!("; status http://{address}/"))
        .unwrap_or_default();
    format!(
        r#"warpflight {version} ready on {url} ({served}){status}

  ADBC        python3 -c 'import adbc_driver_flightsql.dbapi as adbc; c = adbc.connect("{url}"{adbc_login}).cursor(); c.execute("{query}"); print(c.fetch_arrow_table())'
  pyarrow     python3 -c 'import pyarrow.flight as f; c = f.connect("{url}"); {pyarrow_login}i = c.get_flight_info(f.FlightDescriptor.for_command(b"{query}"), o); print(c.do_get(i.endpoints[0].ticket, o).read_all())'
  warpflight  {program} sql --url {url}{sql_login} "{query}"

Ctrl-C drains and stops.
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_ready_and_where() {
        let tables = ["nation".to_owned(), "region".to_owned()];
        let text = text("grpc://127.0.0.1:1", &tables, false, None, "warpflight");
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("ready on grpc://127.0.0.1:1 (2 tables: nation, region)"),
            "{first}"
        );
        assert_eq!(text.matches("select * from nation limit 5").count(), 3);
    }

    #[test]
    fn a_server_with_users_shows_where_they_go() {
        let text = text("grpc+tls://127.0.0.1:1", &[], true, None, "warpflight");
        assert_eq!(text.matches("USER").count(), 3);
        assert!(text.contains("select 1") && text.contains("no tables yet"));
    }
}
