//! Rates of the library kernels on a device of this machine: `bench [cuda|sim] [MiB of output]`. Times are the
//! device's own, the median of seven runs after a first one; rates count the bytes of the output.

mod codecs;
#[path = "../libraries/mod.rs"]
mod libraries;

use std::process::ExitCode;

use warpflight_kernels::parquet::{Conversion, Encoding, Page, PageDecoder, SLACK_BYTES};
use warpflight_kernels::select::{Gather, Selector};
use warpflight_kernels::selftest::Random;
use warpflight_kernels::sort::{Keys, Sorter};
use warpflight_kernels::strings::{OffsetWidth, StringWriter};
use warpflight_kernels::{
    Buffer, Device, DeviceError, DeviceOptions, ErrorWord, Reservation, Stream, cuda, values_from_bytes,
};

/// Rows of a page, as arrow-rs writes by default.
const PAGE_ROWS: usize = 20_000;
const RUNS: usize = 7;

struct Bench {
    device: Device,
    stream: Stream,
    reservation: Reservation,
    random: Random,
}

type Outcome = Result<(), DeviceError>;

impl Bench {
    /// Runs `work` and prints its rate.
    #[allow(clippy::print_stdout)]
    fn time(&self, name: &str, output_bytes: usize, work: impl Fn(&ErrorWord) -> Outcome) -> Outcome {
        let error = ErrorWord::new(&self.stream, &self.reservation)?;
        let mut times = Vec::new();
        for _ in 0..=RUNS {
            let start = self.stream.record()?;
            work(&error)?;
            let end = self.stream.record()?;
            end.wait_sync()?;
            times.push(end.since(&start)?.as_secs_f64());
        }
        error.check_sync(&self.stream, name)?;
        let mut times = times.split_off(1);
        times.sort_by(f64::total_cmp);
        let median = times[RUNS / 2];
        let rate = output_bytes as f64 / median / 1e9;
        println!(
            "{name:<52} {:>9.1} MB out {:>9.3} ms {rate:>8.1} GB/s",
            output_bytes as f64 / 1e6,
            median * 1e3
        );
        Ok(())
    }

    fn upload(&self, bytes: &[u8]) -> Result<Buffer, DeviceError> {
        self.stream.upload_values(&self.reservation, bytes)
    }

    /// Decodes a column of `rows` in pages that all have the same `body`.
    #[allow(clippy::too_many_arguments)]
    fn decode(
        &self,
        name: &str,
        body: &[u8],
        rows: usize,
        encoding: Encoding,
        conversion: Conversion,
        widths: [u32; 2],
        dictionary: Option<(&Buffer, u32)>,
    ) -> Result<Buffer, DeviceError> {
        let pages = rows / PAGE_ROWS;
        self.decode_pages(
            name,
            body,
            [pages, PAGE_ROWS],
            encoding,
            conversion,
            widths,
            dictionary,
        )
    }

    /// The same for a number of pages, and of rows in each.
    #[allow(clippy::too_many_arguments)]
    fn decode_pages(
        &self,
        name: &str,
        body: &[u8],
        [pages, page_rows]: [usize; 2],
        encoding: Encoding,
        conversion: Conversion,
        widths: [u32; 2],
        dictionary: Option<(&Buffer, u32)>,
    ) -> Result<Buffer, DeviceError> {
        let decoder = PageDecoder::new(&self.device)?;
        let rows = pages * page_rows;
        // Every page has its own copy: the cache must not help more than it would.
        let mut bytes = body.repeat(pages);
        bytes.extend([0; SLACK_BYTES]);
        let bytes = self.upload(&bytes)?;
        let output = self
            .stream
            .allocate(&self.reservation, rows * widths[1] as usize)?;
        let pages: Vec<Page> = (0..pages)
            .map(|at| Page {
                section: bytes.address() + (at * body.len()) as u64,
                output: output.address(),
                validity: 0,
                dictionary: dictionary.map_or(0, |(buffer, _)| buffer.address()),
                scratch: 0,
                first_row: (at * page_rows) as u64,
                section_bytes: body.len() as u32,
                rows: page_rows as u32,
                level_bytes: 0,
                max_level: 0,
                dictionary_count: dictionary.map_or(0, |(_, count)| count),
                first_tile: 0,
                encoding: encoding as u32,
                conversion: conversion as u32,
                source_bytes: widths[0],
                output_bytes: widths[1],
                item: at as u32,
                code_base: 0,
                skip: 0,
                kept: page_rows as u32,
                filled: [0; 5],
            })
            .collect();
        let mut uses = vec![&bytes, &output];
        uses.extend(dictionary.map(|(buffer, _)| buffer));
        self.time(name, rows * widths[1] as usize, |error| {
            decoder.decode(&self.stream, &self.reservation, &pages, &uses, error)
        })?;
        // The references of strings lead into the pages, which must live as long.
        self.stream.retain(bytes)?;
        Ok(output)
    }

    fn fixed(&mut self, rows: usize) -> Outcome {
        use Conversion::{Code, Same, Signed};
        let body = self.random.bytes(PAGE_ROWS * 8);
        self.decode("plain int64", &body, rows, Encoding::Plain, Signed, [8, 8], None)?;
        self.decode(
            "plain int32",
            &body[..PAGE_ROWS * 4],
            rows,
            Encoding::Plain,
            Signed,
            [4, 4],
            None,
        )?;
        self.decode(
            "plain int64 to decimal128",
            &body,
            rows / 2,
            Encoding::Plain,
            Signed,
            [8, 16],
            None,
        )?;
        self.decode(
            "split double",
            &body,
            rows,
            Encoding::ByteStreamSplit,
            Same,
            [8, 8],
            None,
        )?;
        for width in [4u8, 12, 17] {
            let entries = 1u32 << width;
            let dictionary = self.random.bytes(entries as usize * 8);
            let dictionary = self.upload(&dictionary)?;
            let mut body = vec![width];
            // Runs of 504 values, as the usual writers pack them.
            for start in (0..PAGE_ROWS).step_by(504) {
                let groups = (PAGE_ROWS - start).min(504).div_ceil(8);
                body.extend([(groups << 1 | 1) as u8]);
                body.extend(self.random.bytes(groups * usize::from(width)));
            }
            let name = format!("dictionary of {width} bits, int64");
            let dictionary = Some((&dictionary, entries));
            self.decode(&name, &body, rows, Encoding::Dictionary, Same, [8, 8], dictionary)?;
            let name = format!("dictionary of {width} bits, codes");
            self.decode(&name, &body, rows, Encoding::Dictionary, Code, [4, 4], dictionary)?;
        }
        Ok(())
    }

    /// One page: its time is what a scan of a small table waits for.
    fn alone(&mut self) -> Outcome {
        let random = &mut self.random;
        let mut letters = |body: &mut Vec<u8>, length: usize| {
            body.extend((length as u32).to_le_bytes());
            body.extend((0..length).map(|_| b'a' + random.below(26) as u8));
        };
        let (mut dictionary, mut data, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        let entries = (1 << 20) / 19;
        (0..entries).for_each(|_| letters(&mut dictionary, 15));
        (0..PAGE_ROWS).for_each(|_| letters(&mut data, 27));
        (0..PAGE_ROWS).for_each(|at| letters(&mut empty, if at % 10 == 9 { 27 } else { 0 }));
        for (name, body, rows) in [
            ("strings of 15, dictionary of 1 MiB, alone", &dictionary, entries),
            ("strings of 27, 20,000 in a page, alone", &data, PAGE_ROWS),
            ("strings, 9 of 10 empty, 20,000, alone", &empty, PAGE_ROWS),
        ] {
            let conversion = Conversion::String;
            self.decode_pages(name, body, [1, rows], Encoding::Plain, conversion, [0, 16], None)?;
        }
        // Indexes of 12 bits in runs of eight, the shortest there are.
        let entries = self.random.bytes(8 << 12);
        let entries = self.upload(&entries)?;
        let mut body = vec![12];
        for _ in 0..PAGE_ROWS / 8 {
            body.push(1 << 1 | 1);
            body.extend(self.random.bytes(12));
        }
        let (name, dictionary) = (
            "dictionary, 2,500 runs in a page, alone",
            Some((&entries, 1 << 12)),
        );
        let (encoding, conversion) = (Encoding::Dictionary, Conversion::Same);
        self.decode_pages(
            name,
            &body,
            [1, PAGE_ROWS],
            encoding,
            conversion,
            [8, 8],
            dictionary,
        )?;
        Ok(())
    }

    fn strings(&mut self, rows: usize) -> Outcome {
        let mut body = Vec::new();
        for _ in 0..PAGE_ROWS {
            let length = 10 + self.random.below(34) as usize;
            body.extend((length as u32).to_le_bytes());
            body.extend(self.random.bytes(length));
        }
        let refs = self.decode(
            "plain strings, references",
            &body,
            rows,
            Encoding::Plain,
            Conversion::String,
            [0, 16],
            None,
        )?;
        let writer = StringWriter::new(&self.device)?;
        let measured = writer.measure(&self.stream, &self.reservation, refs.view())?;
        let total = measured.total_sync(&self.stream)? as usize;
        let offsets = self.stream.allocate(&self.reservation, (rows + 1) * 4)?;
        let bytes = self.stream.allocate(&self.reservation, total)?;
        self.time("strings, offsets and bytes", total + rows * 4, |error| {
            let measured = writer.measure(&self.stream, &self.reservation, refs.view())?;
            let (offsets, bytes) = (offsets.view(), bytes.view());
            let width = OffsetWidth::Bits32;
            writer.write(
                &self.stream,
                refs.view(),
                &measured,
                width,
                offsets,
                bytes,
                &[],
                error,
            )
        })
    }

    fn select(&mut self, rows: usize) -> Outcome {
        let selector = Selector::new(&self.device)?;
        let mask: Vec<u32> = values_from_bytes(&self.random.bytes(rows.div_ceil(32) * 4));
        let mask = self.stream.upload_values(&self.reservation, &mask)?;
        let count = || selector.count(&self.stream, &self.reservation, mask.view(), None, rows);
        let kept = count()?.total_sync(&self.stream)? as usize;
        let numbers = self.stream.allocate(&self.reservation, kept * 4)?;
        self.time("row numbers of half the rows", kept * 4, |_| {
            selector.write(&self.stream, mask.view(), None, rows, &count()?, numbers.view())
        })?;
        let source = self.stream.allocate_zeroed(&self.reservation, rows * 8)?;
        let target = self.stream.allocate(&self.reservation, kept * 8)?;
        let column = Gather {
            source: source.address(),
            target: target.address(),
            source_validity: 0,
            target_validity: 0,
            width: 8,
            reserved: 0,
        };
        self.time("gather of half the rows, int64", kept * 8, |error| {
            let uses = [&source, &target];
            let (stream, reservation, view) = (&self.stream, &self.reservation, numbers.view());
            selector.gather(stream, reservation, &[column], view, kept, rows, &uses, error)
        })
    }

    /// Rates count the row numbers that come out: rows a second are a quarter of the bytes.
    fn sort(&mut self, rows: usize) -> Outcome {
        let sorter = Sorter::new(&self.device)?;
        let random: Vec<u64> = (0..rows).map(|_| self.random.bits()).collect();
        let low = |bits: u32| random.iter().map(|key| key & ((1 << bits) - 1)).collect();
        let few = random.iter().map(|key| key % 3).collect();
        let cases: [(&str, Vec<u64>); 4] = [
            ("64 bits", random.clone()),
            ("32 bits", low(32)),
            ("16 bits", low(16)),
            ("3 values and 64 bits", [few, random.clone()].concat()),
        ];
        for (name, values) in cases {
            let words = values.len() / rows;
            let uploaded = self.stream.upload_values(&self.reservation, &values)?;
            let view = uploaded.view();
            let keys = Keys { view, rows, words };
            self.time(&format!("sort by {name}"), rows * 4, |_| {
                sorter.sort(&self.stream, &self.reservation, keys).map(drop)
            })?;
            for k in [10, 1000] {
                self.time(&format!("first {k} by {name}"), rows * 4, |_| {
                    sorter.first(&self.stream, &self.reservation, keys, k).map(drop)
                })?;
            }
            let order = sorter.sort(&self.stream, &self.reservation, keys)?;
            self.time(&format!("boundaries by {name}"), rows * 4, |_| {
                let order = order.view();
                sorter
                    .boundaries(&self.stream, &self.reservation, keys, order)
                    .map(drop)
            })?;
        }
        Ok(())
    }
}

#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sim = arguments.first().is_some_and(|kind| kind == "sim");
    let mebibytes: usize = arguments.get(1).and_then(|size| size.parse().ok()).unwrap_or(512);
    if let Err(error) = libraries::load() {
        println!("{error}");
        return ExitCode::from(2);
    }
    match cuda::nvcomp_version() {
        Ok(version) => println!("nvCOMP {version}"),
        Err(reason) => println!("SKIPPED: zstd and gzip: {reason}"),
    }
    let options = if sim {
        DeviceOptions::sim()
    } else {
        DeviceOptions::cuda()
    };
    match Device::open(&options).and_then(|device| run(device, mebibytes << 20)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}

#[allow(clippy::print_stdout)]
fn run(device: Device, output_bytes: usize) -> Outcome {
    println!("{}: {}", device.info().label(), device.info().name);
    let rows = (output_bytes / 8 / PAGE_ROWS).max(2) * PAGE_ROWS;
    let stream = device.stream()?;
    let reservation = device.reserve(device.memory_available_bytes() / 10 * 9)?;
    let mut bench = Bench {
        device,
        stream,
        reservation,
        random: Random::new(1),
    };
    bench.fixed(rows)?;
    bench.alone()?;
    bench.strings(rows / 2 / PAGE_ROWS * PAGE_ROWS)?;
    bench.codecs(output_bytes)?;
    bench.select(rows)?;
    bench.sort(rows)
}
