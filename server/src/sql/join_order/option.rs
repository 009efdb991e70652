//! The option `join_order`, as the rule finds it among DataFusion's.

use std::any::Any;

use datafusion::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};

/// Whether joins are ordered.
#[derive(Debug, Clone)]
pub struct Ordering {
    /// By estimated cost; else they stay as written.
    pub by_cost: bool,
}

impl ConfigExtension for Ordering {
    const PREFIX: &'static str = "warpflight_join_order";
}

impl ExtensionOptions for Ordering {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        Err(DataFusionError::Configuration(format!(
            "option warpflight_join_order.{key}: found it with a prefix, expected SET join_order = ..."
        )))
    }

    /// None: it is shown as our own options are.
    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
