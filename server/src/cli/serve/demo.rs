//! `serve --demo`: the TPC-H sample, made once.

use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::tpch::TpchOptions;

/// Where the sample lies, below the current directory.
pub(in crate::cli) const FOLDER: &str = "warpflight-demo";
/// About 100 MB of text, 600,000 rows of `lineitem`: seconds to make, and large enough to see.
const SCALE: f64 = 0.1;

/// Makes the sample if it is not there yet, and adds it to what is served.
///
/// # Errors
/// `Resources` or `Data` if the folder cannot be written.
pub async fn prepare(config: &mut Config) -> Result<()> {
    let folder = Path::new(FOLDER);
    if !folder.is_dir() {
        let options = TpchOptions::new(SCALE, folder);
        let made = tokio::task::spawn_blocking(move || crate::cli::generate::with_progress(&options)).await;
        made.map_err(|error| Error::internal(format!("{FOLDER}: {error}")))??;
    }
    config.data.data.push(FOLDER.to_owned());
    config.data.data_roots.push(FOLDER.to_owned());
    Ok(())
}
