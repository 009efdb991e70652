//! What makes two compiled images the same. Comes in: a source and a compiler. Goes out: a name for the cache.

use sha2::{Digest, Sha256};

use super::{Compiler, KernelSource};

/// Identifies an image: kernel shape, and a hash of source, prelude, ordered options, compiler and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleKey {
    stem: String,
    hash: [u8; 32],
    extension: &'static str,
}

impl ModuleKey {
    /// The key of `source` as `compiler` would compile it.
    pub fn of(source: &KernelSource, compiler: &dyn Compiler) -> Self {
        let mut hash = Sha256::new();
        // Each part with its length, so that no two lists of parts hash alike.
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(&source.full_text());
        source.kernels.iter().for_each(|kernel| part(kernel));
        part("options");
        compiler.options().iter().for_each(|option| part(option));
        part(&compiler.identity());
        part(&compiler.architecture());
        let extension = compiler.image_extension();
        Self {
            stem: source.file_stem(),
            hash: hash.finalize().into(),
            extension,
        }
    }

    /// The hash alone.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Name of the file that holds the image.
    pub fn file_name(&self) -> String {
        let hex: String = self.hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hex}.{}", self.stem, self.extension)
    }
}
