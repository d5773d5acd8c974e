//! Runs a target without libFuzzer: all files given, then mutations of them from a fixed seed.
//!
//! Takes the arguments of libFuzzer that `tools/fuzz.sh` gives; there is no coverage to guide it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::common::Random;

/// Run a target on the files and directories of the command line.
#[must_use]
pub fn main(target: fn(&[u8])) -> ExitCode {
    let mut seconds = 0;
    let mut artifacts = String::from("./");
    let mut inputs = Vec::new();
    for argument in std::env::args().skip(1) {
        if let Some(value) = argument.strip_prefix("-max_total_time=") {
            seconds = value.parse().unwrap_or(0);
        } else if let Some(value) = argument.strip_prefix("-artifact_prefix=") {
            artifacts = value.to_owned();
        } else if !argument.starts_with('-') {
            collect(Path::new(&argument), &mut inputs);
        }
    }
    inputs.sort();
    let runner = Runner { target, artifacts };
    let seeds: Vec<Vec<u8>> = inputs.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    let mut count = 0u64;
    for seed in &seeds {
        runner.run(seed);
        count += 1;
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    while Instant::now() < end {
        let mut data = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
        random.damage(&mut data);
        runner.run(&data);
        count += 1;
    }
    eprintln!("stat::number_of_executed_units: {count}");
    ExitCode::SUCCESS
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        entries.flatten().for_each(|entry| collect(&entry.path(), files));
    } else {
        files.push(path.to_owned());
    }
}

struct Runner {
    target: fn(&[u8]),
    artifacts: String,
}

impl Runner {
    /// Run it; what makes it panic is kept in a file.
    fn run(&self, data: &[u8]) {
        if let Err(panic) = std::panic::catch_unwind(|| (self.target)(data)) {
            let path =
                format!("{}crash-{:08x}", self.artifacts, anyzarr_core::codec::crc32c::of(data));
            match std::fs::write(&path, data) {
                Ok(()) => eprintln!("Test unit written to {path}"),
                Err(error) => eprintln!("{path}: {error}"),
            }
            std::panic::resume_unwind(panic);
        }
    }
}
