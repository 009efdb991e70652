//! The real server as a process of its own.
//!
//! In: arguments, a configuration file, environment variables. Out: where it listens, its log, its metrics, the
//! memory that it holds; how it ended. It is killed when its value is dropped, and a failing test shows its log.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http;
use crate::target::server_binary;

/// A debug build on a loaded machine needs some of it.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How to start a server.
#[derive(Debug, Default, Clone)]
pub struct Options {
    binary: Option<PathBuf>,
    args: Vec<String>,
    config: String,
    env: Vec<(String, String)>,
    current_dir: Option<PathBuf>,
}

impl Options {
    /// A server with the defaults, on free ports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds `--data PATH_OR_URL`.
    #[must_use]
    pub fn data(self, location: impl AsRef<Path>) -> Self {
        self.args(["--data", &location.as_ref().display().to_string()])
    }

    /// Adds text to its configuration file.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it in a folder of the test's; without, it gets a new one.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.current_dir = Some(folder.to_owned());
        self
    }

    /// Runs another binary than the one of this build.
    #[must_use]
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it does not get ready, with its log.
    pub fn start(self) -> Server {
        match self.launch() {
            Ok(server) => server,
            Err(refusal) => panic!("the server did not start: {refusal:?}"),
        }
    }

    /// Starts it, expecting that it refuses.
    ///
    /// # Panics
    /// If it gets ready.
    pub fn refused(self) -> Refusal {
        match self.launch() {
            Ok(server) => panic!("the server started, on {}", server.url()),
            Err(refusal) => refusal,
        }
    }

    fn launch(self) -> Result<Server, Refusal> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let log = folder.path().join("server.log");
        let log_file = File::create(&log).expect("the log file can be made");
        let mut command = Command::new(self.binary.unwrap_or_else(server_binary));
        command.arg("serve");
        if !self.config.is_empty() {
            let config = folder.path().join("warpflight.toml");
            fs::write(&config, &self.config).expect("the configuration can be written");
            command.arg("--config").arg(config);
        }
        for name in ["--listen", "--http-listen"] {
            if !self.args.iter().any(|arg| arg == name) {
                command.args([name, "127.0.0.1:0"]);
            }
        }
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["WARPFLIGHT_", "AWS_", "GOOGLE_", "AZURE_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                command.env_remove(name.as_ref());
            }
        }
        let mut child = command
            .args(&self.args)
            .envs(self.env)
            .current_dir(self.current_dir.as_deref().unwrap_or(folder.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));

        let stdout = child.stdout.take().expect("standard output is a pipe");
        let (lines, printed) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Read to the end even if nobody listens, so that the server never waits for its reader.
                let _ = lines.send(line);
            }
        });
        let mut server = Server {
            child,
            folder,
            log,
            greeting: Vec::new(),
            url: String::new(),
            http: None,
        };
        match server.wait_ready(&printed) {
            true => Ok(server),
            false => {
                let status = server.wait_exit(Duration::from_secs(10));
                let refusal = Refusal {
                    status,
                    stdout: server.greeting.join("\n"),
                    stderr: server.log(),
                };
                Err(refusal)
            }
        }
    }
}

/// A server that did not start.
#[derive(Debug)]
pub struct Refusal {
    /// How it ended; none if it neither got ready nor ended.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: TempDir,
    log: PathBuf,
    greeting: Vec<String>,
    url: String,
    http: Option<String>,
}

impl Server {
    fn wait_ready(&mut self, printed: &mpsc::Receiver<String>) -> bool {
        let deadline = Instant::now() + START_TIMEOUT;
        // The ready line comes first; the snippets and the status page's address follow at once.
        while let Ok(line) = printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let ready = line.contains("ready");
            self.greeting.push(line);
            if ready {
                break;
            }
        }
        while let Ok(line) = printed.recv_timeout(Duration::from_millis(50)) {
            self.greeting.push(line);
        }
        let address = |scheme| self.greeting.iter().find_map(|line| address_in(line, scheme));
        (self.url, self.http) = (address("grpc").unwrap_or_default(), address("http"));
        !self.url.is_empty()
    }

    /// Its Flight SQL address, as `grpc://127.0.0.1:PORT` or `grpc+tls://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port of its Flight SQL address.
    pub fn address(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, address)| address)
    }

    /// Its Flight SQL port.
    pub fn port(&self) -> u16 {
        let port = self
            .address()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        port.expect("the ready line ends its address with a port")
    }

    /// Host and port of its HTTP address.
    pub fn http_address(&self) -> &str {
        let http = self.http.as_deref().expect("the server named its HTTP address");
        http.trim_start_matches("http://").trim_end_matches('/')
    }

    /// What it printed when it got ready.
    pub fn greeting(&self) -> String {
        self.greeting.join("\n")
    }

    /// A folder of its own, its working directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let mut log = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| file.read_to_end(&mut log));
        read.expect("the log can be read");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it holds in RAM.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("Linux tells VmRSS");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("VmRSS is in kB");
        kib * 1024
    }

    /// The value of a metric, by its whole name with labels; the sum over its labels if there are none in the name.
    pub fn metric(&self, name: &str) -> f64 {
        let text = http::get(self.http_address(), "/metrics").body;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let matches = series == name || series.split_once('{').is_some_and(|(plain, _)| plain == name);
            matches.then(|| value.parse::<f64>().ok())?
        });
        values
            .fold(None, |sum: Option<f64>, value| {
                Some(sum.unwrap_or_default() + value)
            })
            .unwrap_or_else(|| panic!("no metric {name} in\n{text}"))
    }

    /// Waits until a metric has a value that fits.
    ///
    /// # Panics
    /// If it has none within `timeout`.
    pub fn wait_metric(&self, name: &str, timeout: Duration, fits: impl Fn(f64) -> bool) -> Duration {
        let started = Instant::now();
        loop {
            let value = self.metric(name);
            if fits(value) {
                return started.elapsed();
            }
            assert!(started.elapsed() < timeout, "{name} is {value} after {timeout:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal, by name: `TERM`, `INT`, `STOP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("sh can be started");
        assert!(status.success(), "{kill}: {status}");
    }

    /// How it ended, if it does within `timeout`.
    pub fn wait_exit(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.child.try_wait().expect("the server is our child") {
                Some(status) => return Some(status),
                None if Instant::now() >= deadline => return None,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.wait_exit(Duration::ZERO).is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "---- log of the server at {} ----\n{}",
                self.url,
                tail(&self.log(), 80)
            );
        }
    }
}

/// `SCHEME...://HOST:PORT` in a line.
fn address_in(line: &str, scheme: &str) -> Option<String> {
    let word = line
        .split(|c: char| c.is_whitespace() || "\"'()".contains(c))
        .find(|word| {
            word.split_once("://")
                .is_some_and(|(before, _)| before.starts_with(scheme))
        })?;
    Some(word.trim_end_matches(['/', ',', '.', ';']).to_owned())
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
