//! What the compiler is given. Comes in: text, by the authors of kernels or by a generator.

use std::borrow::Cow;

/// CUDA C++ text over the prelude, with the kernels that it defines.
///
/// Kernels are `extern "C" __global__` functions, not templates. `__shared__` variables are declared in kernels or
/// plain functions only: a template's static variables cannot be told apart by the host emulation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KernelSource {
    /// Short name for files and messages: the stem of a library kernel, the shape of a pipeline.
    pub name: Cow<'static, str>,
    /// The text, without the prelude.
    pub text: Cow<'static, str>,
    /// Names of the kernels that it defines.
    pub kernels: Vec<Cow<'static, str>>,
    /// `#define`s in front of the text: constants that Rust and the kernel share, and what tells shapes apart.
    pub defines: Vec<(Cow<'static, str>, String)>,
}

impl KernelSource {
    /// A library file with its kernels.
    pub fn library(name: &'static str, text: &'static str, kernels: &[&'static str]) -> Self {
        Self {
            name: Cow::Borrowed(name),
            text: Cow::Borrowed(text),
            kernels: kernels.iter().map(|&kernel| Cow::Borrowed(kernel)).collect(),
            defines: Vec::new(),
        }
    }

    /// A generated text with its kernels.
    pub fn generated(name: impl Into<String>, text: impl Into<String>, kernels: &[&str]) -> Self {
        Self {
            name: Cow::Owned(name.into()),
            text: Cow::Owned(text.into()),
            kernels: kernels
                .iter()
                .map(|&kernel| Cow::Owned(kernel.to_owned()))
                .collect(),
            defines: Vec::new(),
        }
    }

    /// The same with one more `#define`.
    pub fn define(mut self, name: &'static str, value: impl ToString) -> Self {
        self.defines.push((Cow::Borrowed(name), value.to_string()));
        self
    }

    /// What it needs of the prelude, defines and text: what the compiler sees, with lines of the text counted from 1.
    pub fn full_text(&self) -> String {
        let mut own = String::with_capacity(self.text.len() + 256);
        for (name, value) in &self.defines {
            own.push_str(&format!("#define {name} {value}\n"));
        }
        own.push_str(&format!("#line 1 \"{}.cu\"\n", self.file_stem()));
        own.push_str(&self.text);
        own.push('\n');
        crate::prelude::text_for(&own) + &own
    }

    /// The name with only what every file system takes, 60 characters at most.
    pub(crate) fn file_stem(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        };
        self.name.chars().take(60).map(plain).collect()
    }
}
