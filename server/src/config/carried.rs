//! Values of ours among DataFusion's options, where its rules find them.

use std::any::Any;

use datafusion::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};

use super::sections::JoinOrder;

/// What DataFusion's options may carry.
pub trait Carry: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// Which it is among what they carry.
    const PREFIX: &'static str;
}

impl Carry for JoinOrder {
    const PREFIX: &'static str = "warpflight_join_order";
}

/// A value that DataFusion's options carry.
#[derive(Debug, Clone)]
pub struct Carried<T>(pub T);

impl<T: Carry> ConfigExtension for Carried<T> {
    const PREFIX: &'static str = T::PREFIX;
}

impl<T: Carry> ExtensionOptions for Carried<T> {
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
            "option {}.{key}: our options have bare names: SET {key} = ...",
            T::PREFIX
        )))
    }

    /// None: they are shown as our own options are.
    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
