//! `warpflight kernels`: kernels compiled ahead of time, and the process that compiles for a server. In: architectures,
//! a folder. Out: the folder filled, and a line an architecture.

use std::io::{BufReader, BufWriter, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use kernels::cuda::{NvrtcCompiler, serve_compiler, use_nvrtc_folder};
use kernels::module::build_cache;
use kernels::{Compiler, DiskCache, KernelSource};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::error_device::on_device;

const ABOUT: &str = "Compile the library's kernels into the kernel cache.\n\n\
    Needs NVIDIA's run-time compiler, but neither a GPU nor a driver, so that a container image can come with its \
    kernels. A server finds them if its compiler is of the same version and its option kernel_cache names the same \
    folder. The kernels of a query's pipelines depend on the data that they meet: they are compiled when a query is \
    seen for the first time, and kept in the same folder then.";

/// What `warpflight kernels` takes.
#[derive(Debug, Args)]
pub struct KernelsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compile the library's kernels into the kernel cache
    #[command(long_about = ABOUT)]
    Build(BuildArgs),
    /// Compile what standard input asks for: a server starts this for itself
    #[command(hide = true)]
    Worker {
        /// Folder with NVIDIA's run-time compiler.
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct BuildArgs {
    /// GPU architectures, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "sm_80,sm_90,sm_100"
    )]
    arch: Vec<String>,

    /// The folder to fill [default: the option kernel_cache, else warpflight/kernels in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// Folder with NVIDIA's run-time compiler, if the system does not find it [default: the option nvrtc_folder]
    #[arg(long, value_name = "DIR")]
    nvrtc_folder: Option<PathBuf>,
}

/// Compiles what the arguments ask for.
///
/// # Errors
/// `Sql` for an architecture that is none; as the compiler's.
pub fn run(args: &KernelsArgs) -> Result<()> {
    match &args.what {
        What::Build(args) => build(args),
        What::Worker { folder } => work(folder.as_deref()),
    }
}

/// Has kernels compiled by processes that run this binary, as [`work`] does.
pub fn compile_in_processes() {
    // The file itself, also where an upgrade has put another one in its place.
    let program = PathBuf::from("/proc/self/exe");
    if program.exists() {
        kernels::cuda::compile_in_processes(program, vec!["kernels".into(), "worker".into()]);
    }
}

fn work(folder: Option<&Path>) -> Result<()> {
    if let Some(folder) = folder {
        use_nvrtc_folder(folder).map_err(on_device)?;
    }
    let served = serve_compiler(BufReader::new(stdin()), BufWriter::new(stdout()));
    served.map_err(|error| {
        Error::data(format!(
            "standard input or output of a process that compiles: {error}"
        ))
    })
}

fn build(args: &BuildArgs) -> Result<()> {
    for name in &args.arch {
        let number = name.strip_prefix("sm_").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::sql(format!(
                "found architecture {name:?}, expected one such as sm_90"
            )));
        }
    }
    let config = Config::load(None, &[])?;
    if let Some(folder) = args.nvrtc_folder.as_ref().or(config.gpu.nvrtc_folder.as_ref()) {
        use_nvrtc_folder(folder).map_err(on_device)?;
    }
    let cache = args.cache.clone().or(config.gpu.kernel_cache);
    let cache = cache.or_else(|| crate::core::kernel_cache(&crate::config::store_environment()));
    let Some(cache) = cache else {
        return Err(Error::sql(
            "found no cache folder of the user, expected --cache: the folder to fill",
        ));
    };
    let disk = DiskCache::new(cache);
    let library = kernels::library();
    let sources: Vec<&KernelSource> = library.iter().collect();
    for name in &args.arch {
        let compiler: Arc<dyn Compiler> = Arc::new(NvrtcCompiler::new(name).map_err(on_device)?);
        let threads = compiler.side_by_side();
        let compiled = build_cache(&compiler, &disk, &sources, threads).map_err(on_device)?;
        writeln!(
            stdout(),
            "{name}: {} modules in {}, {compiled} of them compiled now, by {}",
            sources.len(),
            disk.folder().display(),
            compiler.identity()
        )
        .map_err(|error| Error::data(format!("standard output: {error}")))?;
    }
    Ok(())
}
