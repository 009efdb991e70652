//! Processes that compile side by side. Comes in: how to start one, and sources. Goes out: images. It knows no device
//! and no cache.
//!
//! NVRTC 13.0 lets one thread of a process at a time through a part of its work: on 16 cores with an H100 (2026-11-23),
//! 160 kernels of queries took 9.5 s by one thread, 2.6 s by 8 and 2.7 s by 16, and 1.2 s by 16 processes. A process of
//! its own also keeps a compiler that crashes away from the server.

use std::ffi::OsString;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::compiler_process::{Reply, Request, greeting};
use super::nvrtc::loaded_folder;

/// Processes at most: a query has about ten kernels.
const PROCESSES_MAX: usize = 16;
/// A process that had nothing to do for so long ends when another one is given back; each takes some 100 MiB.
const IDLE_MAX: Duration = Duration::from_secs(600);

static POOL: OnceLock<CompilerPool> = OnceLock::new();

/// From now on kernels are compiled by processes that run `program` with `args` (and, where the compiler was loaded from
/// a folder, that folder as the last one) and call [`super::serve_compiler`] on their standard input and output. Without
/// this call they are compiled by this process. Later calls have no effect.
pub fn compile_in_processes(program: PathBuf, args: Vec<OsString>) {
    POOL.get_or_init(|| CompilerPool {
        program,
        args,
        most: std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(PROCESSES_MAX),
        state: Mutex::default(),
        given_back: Condvar::new(),
    });
}

/// The processes, if the program has said how to start them.
pub(super) fn pool() -> Option<&'static CompilerPool> {
    POOL.get()
}

/// Why kernels are compiled by this process though others were to do it.
pub fn why_not_in_processes() -> Option<String> {
    pool().and_then(|pool| pool.lock().broken.clone())
}

/// The processes and how they are started.
#[derive(Debug)]
pub(super) struct CompilerPool {
    program: PathBuf,
    args: Vec<OsString>,
    most: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The one used last is the last.
    idle: Vec<Compiler>,
    /// Idle or busy.
    running: usize,
    /// Why no process can be started: the first one was none that compiles.
    broken: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// No process can be started: compile without.
    NoProcess,
    /// Two processes ended over it.
    Ended(String),
}

impl CompilerPool {
    /// How many processes there are at most.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Compiles `request`, in a second process if the first one ends over it. Waits for its turn.
    pub(super) fn compile(&self, request: &Request) -> Result<Reply, NoAnswer> {
        let mut ended = String::new();
        for _ in 0..2 {
            let mut compiler = self.take().ok_or(NoAnswer::NoProcess)?;
            match compiler.ask(request) {
                Ok(reply) => {
                    self.give_back(compiler);
                    return Ok(reply);
                }
                Err(error) => {
                    ended = compiler.end(&error);
                    self.forget_idle();
                }
            }
        }
        Err(NoAnswer::Ended(ended))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Compiler> {
        let mut state = self.lock();
        loop {
            if let Some(compiler) = state.idle.pop() {
                return Some(compiler);
            }
            if state.broken.is_some() {
                return None;
            }
            if state.running < self.most {
                break;
            }
            state = self
                .given_back
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.running += 1;
        drop(state);
        match Compiler::start(&self.program, &self.args) {
            Ok(compiler) => Some(compiler),
            Err(reason) => {
                let mut state = self.lock();
                state.running -= 1;
                // While others run, this may be for want of memory or of processes, and pass.
                if state.running == 0 {
                    state.broken = Some(reason);
                }
                drop(state);
                self.given_back.notify_all();
                None
            }
        }
    }

    /// After one of them ended: the idle ones may have ended too, so that the next one is a new one.
    fn forget_idle(&self) {
        let mut state = self.lock();
        let idle = std::mem::take(&mut state.idle);
        state.running -= 1 + idle.len();
        drop(state);
        self.given_back.notify_all();
        idle.into_iter().for_each(Compiler::stop);
    }

    fn give_back(&self, mut compiler: Compiler) {
        compiler.used = Instant::now();
        let mut state = self.lock();
        let old = state
            .idle
            .iter()
            .take_while(|other| other.used.elapsed() > IDLE_MAX);
        let old = old.count();
        let old: Vec<Compiler> = state.idle.drain(..old).collect();
        state.running -= old.len();
        state.idle.push(compiler);
        drop(state);
        self.given_back.notify_one();
        for compiler in old {
            compiler.stop();
        }
    }
}

/// A process that compiles.
#[derive(Debug)]
struct Compiler {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
    used: Instant,
}

impl Compiler {
    /// Starts one and waits for what it says first.
    fn start(program: &PathBuf, args: &[OsString]) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(args).args(loaded_folder());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // An interrupt from the terminal is the server's business, which then lets its queries finish.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(&"no pipes to it"));
        };
        let mut started = Self {
            child,
            input: BufWriter::new(input),
            output: BufReader::new(output),
            used: Instant::now(),
        };
        match Reply::read(&mut started.output) {
            Ok(said) if said == greeting() => Ok(started),
            Ok(said) => {
                let found = match said {
                    Reply::Image(version) => String::from_utf8_lossy(&version).into_owned(),
                    Reply::Refused(reason) => reason,
                };
                started.stop();
                Err(failed(&format!(
                    "its compiler is not that of this process: {found}"
                )))
            }
            Err(error) => Err(failed(&started.end(&error))),
        }
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<Reply> {
        request.write(&mut self.input)?;
        Reply::read(&mut self.output)
    }

    /// Lets it end by itself.
    fn stop(self) {
        let Self {
            mut child,
            input,
            output,
            ..
        } = self;
        drop((input, output));
        // It reads the end of its input, and one that does not is no more needed either.
        let _ = child.wait();
    }

    /// Ends it, and says how it had ended.
    fn end(mut self, error: &std::io::Error) -> String {
        // It may have ended already; whatever else can go wrong here leaves a process behind, and is said.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => format!("{error}, then {status}"),
            Err(other) => format!("{error}, then {other}"),
        }
    }
}
