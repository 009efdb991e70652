//! Every option of the server: the one place where an option is defined.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration as StdDuration;

use super::option::options;
use super::value::{Bytes, Duration, choice};

const fn seconds(count: u64) -> Duration {
    Duration(StdDuration::from_secs(count))
}

choice! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// Where operators run.
    DeviceChoice {
        /// A GPU if one can be used, else the CPU.
        Auto = "auto",
        /// An NVIDIA GPU.
        Cuda = "cuda",
        /// The emulation of a GPU on the host, in builds with the feature `sim`.
        Sim = "sim",
        /// DataFusion's operators on the CPU.
        Cpu = "cpu",
    }
}

choice! {
    /// How a query's rows go through the GPU.
    Executor {
        /// Partition by partition, several in flight.
        Streaming = "streaming",
        /// In one partition.
        InMemory = "in-memory",
        /// Not at all: DataFusion runs it.
        Cpu = "cpu",
    }
}

choice! {
    /// What happens when part of a query cannot run as asked.
    FallbackMode {
        /// It runs otherwise, and the log says why.
        Warn = "warn",
        /// The query is refused when it is planned.
        Raise = "raise",
        /// It runs otherwise.
        Silent = "silent",
    }
}

choice! {
    /// Whether NVIDIA's nvCOMP decompresses what no kernel of ours does.
    Nvcomp {
        /// Where it is found.
        Auto = "auto",
        /// Never: the CPU does.
        Off = "off",
    }
}

choice! {
    /// In which order a query's tables are joined, and from which side a join's table is built.
    JoinOrder {
        /// As the estimated cost says, from what the files' footers say of their rows.
        Cost = "cost",
        /// As the query has it.
        Written = "written",
    }
}

choice! {
    /// Which rarely taken path of scans, joins and aggregations is always taken, so that tests reach it.
    DebugForce {
        /// None.
        None = "none",
        /// Keys are found as groups even where they lie close together, and groups are added up in device memory.
        Groups = "groups",
        /// A join's table lists the rows of each key, even where each has one; pairs leave a few at a time.
        Lists = "lists",
        /// Hash tables start with room for a few keys and grow; no build side of a join has too few rows to change places.
        SmallTables = "small_tables",
        /// Rows of scans are looked for by the columns of their filters before other columns are read.
        Seek = "seek",
        /// The sides of a join change places wherever they may, however many rows they have.
        Swap = "swap",
    }
}

options! {
    /// Addresses, connections and logs.
    section "server" ServerOptions {
        /// Address and port of the Flight SQL endpoint.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 32010)), Server;
        /// Address and port of the HTTP endpoint: /metrics, /health, /ready and a status page.
        http_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 32011)), Server;
        /// Whether the HTTP endpoint is served at all.
        http: bool = true, Server;
        /// What is logged: off, error, warn, info, debug, trace, or a filter like info,warpflight::query=debug.
        log: String = "info".into(), Server;
        /// How log lines are written: text for people, or json, one object a line.
        log_format: LogFormat = LogFormat::Text, Server;
        /// How long a shutdown waits for running queries before it cancels them.
        drain_timeout: Duration = seconds(30), Server;
        /// How often an idle connection is probed; one that does not answer within as long again is closed.
        keepalive: Duration = seconds(30), Server;
        /// Connections at once; more are closed as soon as they are made. 0 is no limit.
        connections_max: usize = 1024, Server;
    }
}

options! {
    /// TLS, authentication and rights. Users are [[user]] tables.
    section "security" SecurityOptions {
        /// PEM file with the server's certificate chain. With tls_key, the endpoint speaks TLS only.
        tls_cert: Option<PathBuf> = None, Server;
        /// PEM file with the private key of tls_cert.
        tls_key: Option<PathBuf> = None, Server;
        /// PEM file with the authorities whose client certificates are required (mutual TLS).
        tls_client_ca: Option<PathBuf> = None, Server;
        /// How long a bearer token is valid after its last use. Statements that run go on.
        token_lifetime: Duration = seconds(8 * 3600), Server;
        /// Allows listening on other addresses than loopback without TLS and authentication.
        insecure_listen: bool = false, Server;
    }
}

options! {
    /// What one query, one session and the whole server may use.
    section "limits" LimitOptions {
        /// Queries that run at once; more wait in a queue. 0 is as many as there are CPU cores, at least 4.
        concurrent_queries_max: usize = 0, Server;
        /// Queries that wait at once; more are refused.
        queue_length_max: usize = 256, Server;
        /// How long a query waits for its turn before it is refused.
        queue_timeout: Duration = seconds(60), Server;
        /// How long a query may run, from its start to its last batch. 0 is no limit.
        query_timeout: Duration = seconds(0), Session;
        /// Memory for the operators of all queries together. 0 is 60 % of the machine's (or the container's).
        memory_limit: Bytes = Bytes(0), Server;
        /// Directory for what operators spill. Empty is the system's temporary directory.
        spill_directory: Option<PathBuf> = None, Server;
        /// Bytes that all queries together may spill.
        spill_limit: Bytes = Bytes(100 << 30), Server;
        /// Result bytes of one query that wait for its reader; beyond that the query waits.
        result_buffer_size: Bytes = Bytes(16 << 20), Server;
        /// The largest Flight message that is sent. Many clients refuse more than 4 MiB.
        message_size_max: Bytes = Bytes(2 << 20), Server;
        /// Result bytes that one query may send in all. 0 is no limit.
        result_size_max: Bytes = Bytes(0), Session;
        /// How long a session may be idle before it is closed, with its tables and prepared statements.
        session_timeout: Duration = seconds(3600), Server;
        /// Sessions at once.
        sessions_max: usize = 4096, Server;
        /// Prepared statements and open results that one session may hold.
        handles_max: usize = 1024, Server;
        /// Bytes of rows that the in-memory tables of one session may hold.
        session_table_memory: Bytes = Bytes(1 << 30), Server;
    }
}

options! {
    /// Tables and the places that they come from. Tables are [[table]], credentials [[store]] tables.
    section "data" DataOptions {
        /// Folders, files or URLs served as tables: a file or a folder in it becomes a table of its name.
        data: Vec<String> = Vec::new(), Server;
        /// Folders and URLs below which users may name paths in FROM and CREATE EXTERNAL TABLE.
        data_roots: Vec<String> = Vec::new(), Server;
        /// Folders and URLs below which users may write with COPY TO.
        write_roots: Vec<String> = Vec::new(), Server;
        /// Memory for Parquet footers and page indexes, which are kept per version of an object. 0 keeps none.
        footer_cache_size: Bytes = Bytes(256 << 20), Server;
        /// How long a request to an object store may take before it is tried again.
        store_timeout: Duration = seconds(30), Server;
        /// How often a failed request to an object store is tried again.
        store_retries: usize = 5, Server;
    }
}

options! {
    /// How queries are run.
    section "engine" EngineOptions {
        /// Where operators run: auto is a GPU if one can be used, else the CPU; sim is an emulation for tests.
        device: DeviceChoice = DeviceChoice::Auto, Session;
        /// How rows go through the GPU: streaming, partition by partition; in-memory, in one partition; cpu, not at all.
        executor: Executor = Executor::Streaming, Session;
        /// What happens when part of a query cannot run as asked: warn, raise or silent.
        fallback_mode: FallbackMode = FallbackMode::Warn, Session;
        /// In which order tables are joined: cost, as estimated from what is known of their rows; written, as the query has it.
        join_order: JoinOrder = JoinOrder::Cost, Session;
        /// Whether the table of a join is used to leave row groups and pages of the other side's scan unread.
        runtime_filters: bool = true, Session;
        /// Decoded bytes of a partition of a scan. 0 is a share of the device's memory.
        target_partition_size: Bytes = Bytes(0), Session;
        /// Rows of a partition of an input that is in memory: VALUES, uploaded tables.
        max_rows_per_partition: usize = 1 << 20, Session;
        /// Partitions of a query's scans that are read or decoded at the same time. Memory bounds how many wait to be used.
        partitions_in_flight: usize = 8, Session;
        /// Whether what the GPU answers is compared with what the CPU answers; a difference is an error.
        verify: bool = false, Session;
        /// For tests: which rarely taken path of scans, joins and aggregations is always taken.
        debug_force: DebugForce = DebugForce::None, Session;
        /// Statements over served tables whose plans are kept, for all sessions. One that comes again while its tables' files and
        /// its options are the same is not planned again. 0 keeps none.
        plans_kept_max: usize = 256, Server;
        /// Threads that run queries on the CPU. 0 is one a core.
        cpu_threads: usize = 0, Server;
        /// Partitions that a query on the CPU is split into. 0 is as many as cpu_threads.
        cpu_partitions: usize = 0, Session;
        /// Rows of the batches that operators on the CPU pass on.
        batch_rows: usize = 8192, Session;
    }
}

options! {
    /// GPUs and their memory.
    section "gpu" GpuOptions {
        /// Number of the GPU that is used.
        gpu: usize = 0, Server;
        /// Device memory that queries may use together. 0 is nine tenths of what is free.
        device_memory_limit: Bytes = Bytes(0), Server;
        /// Host memory that may be pinned for copies. It is pinned as it is needed.
        pinned_memory_limit: Bytes = Bytes(4 << 30), Server;
        /// Folder for compiled kernels. Empty is warpflight/kernels in the user's cache folder.
        kernel_cache: Option<PathBuf> = None, Server;
        /// Folder with NVIDIA's run-time compiler, if the system does not find it.
        nvrtc_folder: Option<PathBuf> = None, Server;
        /// Whether zstd and gzip pages of Parquet are decompressed on the GPU: off, by the CPU; auto, by NVIDIA's nvCOMP where it
        /// is found. nvCOMP promises nothing for damaged pages, one of which may end all queries on the GPU: auto is for files
        /// that are trusted.
        nvcomp: Nvcomp = Nvcomp::Off, Server;
        /// Folder with NVIDIA's nvCOMP, if the system does not find it.
        nvcomp_folder: Option<PathBuf> = None, Server;
    }
}
